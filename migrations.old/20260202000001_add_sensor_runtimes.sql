-- Migration: sensor runtimes
--
-- The runtimes that host sensors. References follow pack.type.name.

-- ============================================================================
-- RUNTIMES
-- ============================================================================

-- Python sensors run inside a virtual environment
INSERT INTO runtime (ref, pack_ref, name, description, runtime_type, distributions, installation)
VALUES (
    'core.sensor.python',
    'core',
    'Python',
    'Sensors written in Python',
    'sensor',
    '{"verification": {"commands": [{"binary": "python3", "args": ["--version"]}]}, "min_version": "3.9"}',
    '{"method": "virtualenv", "packages": ["pip", "wheel"]}'
);

-- Node.js sensors bring a package.json
INSERT INTO runtime (ref, pack_ref, name, description, runtime_type, distributions, installation)
VALUES (
    'core.sensor.nodejs',
    'core',
    'Node.js',
    'Sensors written in JavaScript',
    'sensor',
    '{"verification": {"commands": [{"binary": "node", "args": ["--version"]}]}, "min_version": "18"}',
    '{"method": "npm"}'
)
ON CONFLICT (ref) DO NOTHING;

-- Shell sensors need nothing but a shell
INSERT INTO runtime (ref, pack_ref, name, description, runtime_type, distributions)
VALUES (
    'core.sensor.shell',
    'core',
    'Shell',
    'Sensors written as shell scripts',
    'sensor',
    '{"verification": {"commands": [{"binary": "/bin/sh", "args": ["-c", "exit 0"]}]}}'
);

-- Built-in sensors are part of the sensor service itself
INSERT INTO runtime (ref, pack_ref, name, description, runtime_type, distributions)
VALUES (
    'core.sensor.builtin',
    'core',
    'Built-in',
    'Timers and other sensors of the service itself',
    'sensor',
    '{"verification": {"always_available": true}}'
);

-- Which runtimes a host can verify
CREATE INDEX IF NOT EXISTS idx_runtime_verification ON runtime USING GIN ((distributions->'verification'));

COMMENT ON COLUMN runtime.distributions IS 'Checks that tell whether a host can offer the runtime';
