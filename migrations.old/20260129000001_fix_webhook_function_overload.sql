-- Migration: fix webhook function overloads
--
-- The consolidation left enable_trigger_webhook(BIGINT) beside the variant
-- with a default second argument: a call with one argument is ambiguous.

-- ============================================================================
-- FUNCTIONS
-- ============================================================================

-- The ambiguous one
DROP FUNCTION IF EXISTS enable_trigger_webhook(BIGINT);

-- These two still work on columns that no longer exist
DROP FUNCTION IF EXISTS configure_trigger_webhook_hmac(BIGINT, BOOLEAN, VARCHAR);
DROP FUNCTION IF EXISTS regenerate_trigger_webhook_key(BIGINT);

-- One enable_trigger_webhook is left, whatever its arguments
DO $$
BEGIN
    IF (SELECT count(*) FROM pg_proc WHERE proname = 'enable_trigger_webhook') > 1 THEN
        RAISE NOTICE 'enable_trigger_webhook is still overloaded';
    END IF;
END
$$;
