-- Stands in for moddatetime 1.0: a trigger that puts the time into the column that its argument names, as the original
-- does.

CREATE FUNCTION moddatetime() RETURNS trigger LANGUAGE plpgsql AS $stand_in$
BEGIN
    IF TG_NARGS <> 1 THEN
        RAISE EXCEPTION 'moddatetime (%): A single argument was expected', TG_RELID::regclass;
    END IF;
    RETURN jsonb_populate_record(NEW, jsonb_build_object(TG_ARGV[0], now()));
END
$stand_in$;
