#pragma once
// Compiled once for this library, where no compiler cache does better (deploy/local/build).

#include <boost/asio.hpp>
#include <boost/beast.hpp>
