-- Migration: pack installation metadata
--
-- Remembers where a pack came from, who installed it and what it contained,
-- so that an update can be verified against the original source.

-- ============================================================================
-- COLUMNS
-- ============================================================================

-- "origin" was too vague now that there is a URL beside it
ALTER TABLE pack RENAME COLUMN origin TO source_type;
ALTER INDEX idx_pack_origin RENAME TO idx_pack_source_type;

ALTER TABLE pack
    ADD COLUMN IF NOT EXISTS source_url   TEXT,
    ADD COLUMN IF NOT EXISTS source_ref   TEXT,             -- tag, branch or commit
    ADD COLUMN IF NOT EXISTS checksum     TEXT,             -- SHA-256 of the archive
    ADD COLUMN IF NOT EXISTS installed_at TIMESTAMPTZ,
    ADD COLUMN IF NOT EXISTS installed_by BIGINT REFERENCES identity(id) ON DELETE SET NULL,
    ADD COLUMN IF NOT EXISTS storage_path TEXT;

ALTER TABLE pack ALTER COLUMN source_type SET DEFAULT 'manual';

-- Rows from before this migration
UPDATE pack SET source_type = 'manual' WHERE source_type = 'local';

ALTER TABLE pack
    ADD CONSTRAINT pack_source_type_known CHECK (source_type IN ('manual', 'git', 'archive', 'registry')),
    ADD CONSTRAINT pack_checksum_sha256   CHECK (checksum ~ '^[0-9a-f]{64}$');

CREATE INDEX IF NOT EXISTS idx_pack_installed_at ON pack(installed_at DESC) WHERE installed_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_pack_installed_by ON pack(installed_by);

-- Announcements of packs that no longer exist
DELETE FROM notification WHERE entity_type = 'pack' AND entity NOT IN (SELECT ref FROM pack);

COMMENT ON COLUMN pack.source_type IS 'How the pack was obtained: manual, git, archive or registry';
COMMENT ON COLUMN pack.checksum IS 'SHA-256 of the archive, in hex';
COMMENT ON COLUMN pack.installed_by IS 'Identity that installed the pack';
