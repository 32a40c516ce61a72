#pragma once
// Compiled once for this library, where no compiler cache does better (deploy/local/build).

#include <pqxx/pqxx>
