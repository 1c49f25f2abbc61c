-- Stands in for insert_username 1.0: a trigger that puts the user's name into the column that its argument names, as
-- the original does.

CREATE FUNCTION insert_username() RETURNS trigger LANGUAGE plpgsql AS $stand_in$
BEGIN
    RETURN jsonb_populate_record(NEW, jsonb_build_object(TG_ARGV[0], current_user));
END
$stand_in$;
