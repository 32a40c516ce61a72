-- Names follow services/state-sync/core/rows.hpp, row by row. Instants are microseconds since 1970 on the database's
-- clock (`_us`): exact, and compared without conversion. Ids are compared as bytes.

-- One row. Raised when the database is another one than before (design 3.4).
CREATE TABLE service_epoch (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  epoch bigint NOT NULL,
  system_identifier text NOT NULL,
  timeline text NOT NULL
);

CREATE TABLE sessions (
  id text COLLATE "C" PRIMARY KEY,
  root text COLLATE "C" NOT NULL,
  parent text COLLATE "C",
  owner text COLLATE "C" NOT NULL,
  name text NOT NULL,
  agent_name_wanted text NOT NULL,
  metadata text NOT NULL,
  created_us bigint NOT NULL,
  updated_us bigint NOT NULL,
  status text NOT NULL,
  agent_name text NOT NULL,
  agent_since_us bigint NOT NULL,
  zed_thread text,
  waiting_interaction text,
  last_request text,
  request_started_us bigint,
  next_ordinal bigint NOT NULL,
  deleted boolean NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX sessions_root ON sessions (root);
CREATE INDEX sessions_owner_activity ON sessions (owner, updated_us DESC) WHERE NOT deleted;

-- The fence (design 3.3): narrow, written by every transaction that changes anything about the session, never pruned.
-- No index holds a column that a write changes, except `open`, so that most updates stay within the page (HOT).
CREATE TABLE session_heads (
  session_id text COLLATE "C" PRIMARY KEY,
  root text COLLATE "C" NOT NULL,
  shard smallint NOT NULL,
  epoch bigint NOT NULL,
  seq bigint NOT NULL,
  version bigint NOT NULL,
  acl_version bigint NOT NULL,
  last_event_us bigint,
  open boolean NOT NULL,
  written_us bigint NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX session_heads_root ON session_heads (root);
CREATE INDEX session_heads_open ON session_heads (shard) WHERE open;

-- The log (design 3.2). `kind`: 0 session_update, 1 interaction_update, 2 interaction_patch. `body` is the JSON text
-- that viewers receive.
CREATE TABLE events (
  session_id text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  epoch bigint NOT NULL,
  kind smallint NOT NULL,
  interaction_id text COLLATE "C" NOT NULL,
  body text NOT NULL,
  created_us bigint NOT NULL,
  PRIMARY KEY (session_id, seq)
);

-- `entries`: the fold, the visible entries of an open turn as of `folded_seq`. `body`: Interaction JSON of a terminal
-- turn. `began_seq`: the event with which the turn began; none of its patches is below it.
CREATE TABLE interactions (
  session_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  ordinal bigint NOT NULL,
  created_us bigint NOT NULL,
  updated_us bigint NOT NULL,
  completed_us bigint,
  state text NOT NULL,
  error text NOT NULL,
  error_code text NOT NULL,
  prompt_message text NOT NULL,
  prompt_id text,
  usage text,
  origin text NOT NULL,
  thread text,
  prompt_message_id text,
  silent text NOT NULL,
  digests text NOT NULL,
  taken_over text,
  command text,
  named boolean NOT NULL,
  interrupt boolean NOT NULL,
  load_retried boolean NOT NULL,
  in_doubt boolean NOT NULL,
  end_owed boolean NOT NULL,
  lost_since_us bigint,
  doubt_since_us bigint,
  last_frame_us bigint,
  cancel_deadline_us bigint,
  cancel_ids text NOT NULL,
  truncated boolean NOT NULL,
  folded_seq bigint NOT NULL,
  began_seq bigint NOT NULL,
  entries text,
  body text,
  PRIMARY KEY (session_id, id)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX interactions_order ON interactions (session_id, ordinal);

-- Without a session: announced, its child session appears with its first user entry.
CREATE TABLE threads (
  root text COLLATE "C" NOT NULL,
  thread text COLLATE "C" NOT NULL,
  session_id text COLLATE "C",
  retired boolean NOT NULL,
  title text NOT NULL,
  PRIMARY KEY (root, thread)
);

CREATE TABLE prompts (
  session_id text COLLATE "C" NOT NULL,
  interaction_id text COLLATE "C" NOT NULL,
  prompt_id text NOT NULL,
  content text NOT NULL,
  interrupt boolean NOT NULL,
  created_us bigint NOT NULL,
  place bigint NOT NULL,
  PRIMARY KEY (session_id, interaction_id)
);

CREATE TABLE attachments (
  id text COLLATE "C" PRIMARY KEY,
  root text COLLATE "C" NOT NULL,
  number bigint NOT NULL,
  bridge text NOT NULL,
  instance text,
  state text NOT NULL,
  gate_open boolean NOT NULL,
  gate_deadline_us bigint,
  open_thread_request text,
  ready_us bigint,
  applied bigint NOT NULL,
  last_number bigint,
  attached_us bigint NOT NULL,
  superseded_us bigint,
  token_hash text NOT NULL,
  suspect_number bigint,
  suspect_through bigint,
  suspect_by text  -- names of lives of owners, with a space between
) WITH (fillfactor = 50
);
CREATE INDEX attachments_root ON attachments (root, number);

CREATE TABLE commands (
  id text COLLATE "C" PRIMARY KEY,
  session_id text COLLATE "C" NOT NULL,
  attachment text NOT NULL,
  kind text NOT NULL,
  interaction text,
  request text NOT NULL,
  thread text,
  interrupt boolean NOT NULL,
  state text NOT NULL
);
CREATE INDEX commands_session ON commands (session_id);

CREATE TABLE grants (
  root text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  role text NOT NULL,
  PRIMARY KEY (root, user_id)
);
CREATE INDEX grants_user ON grants (user_id);

-- Secrets are stored hashed.
CREATE TABLE agent_tokens (
  hash text COLLATE "C" PRIMARY KEY,
  session_id text COLLATE "C" NOT NULL,
  created_us bigint NOT NULL,
  expires_us bigint
);
CREATE INDEX agent_tokens_session ON agent_tokens (session_id);
CREATE INDEX agent_tokens_expiry ON agent_tokens (expires_us) WHERE expires_us IS NOT NULL;

CREATE TABLE api_keys (
  hash text COLLATE "C" PRIMARY KEY,
  id text COLLATE "C" NOT NULL UNIQUE,
  user_id text COLLATE "C" NOT NULL,
  name text NOT NULL,
  created_us bigint NOT NULL
);

-- The first answer under an id (design 5.3), stored with its effect. `scope`: a session id, or `user:` + user id.
CREATE TABLE answers (
  scope text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  fingerprint text NOT NULL,
  status integer NOT NULL,
  body text NOT NULL,
  secret boolean NOT NULL,
  created_us bigint NOT NULL,
  PRIMARY KEY (scope, id)
);
-- Answers to creations are kept for 24 h, the others as long as their session.
CREATE INDEX answers_creation_age ON answers (created_us) WHERE scope LIKE 'user:%';
