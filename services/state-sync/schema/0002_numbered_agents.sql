-- Agents that number their frames (design 5.5, 6.3). The defaults are what replicas of the older version leave out.

-- `agent_seq`: the highest number of the instance whose frame was applied, over this attachment or one before it.
-- `restarted`: another instance was there before, and what became of the turns that ran on it is not decided yet.
ALTER TABLE attachments
  ADD COLUMN agent_seq bigint NOT NULL DEFAULT 0,
  ADD COLUMN restarted boolean NOT NULL DEFAULT false;

-- A chat_message that its agent may have had before.
ALTER TABLE commands ADD COLUMN redelivered boolean NOT NULL DEFAULT false;
