package ui

import "testing"

func TestHelpIsLaidOutForTheWidth(t *testing.T) {
	const text = `Copy what Lanyard keeps, also
again.

A second paragraph, of "lanyardctl sweep list --mongo URI", which stays whole.

Environment
  REDIS_URI         the Redis
                    to read
  REDIS_CA, REDIS_CERT
                    in place of flags
  NO_COLOR          no colour
  An empty variable counts as
  unset.

Usage:
  lanyardctl migrate redis-to-mongo [flags]

Examples:
  lanyardctl migrate redis-to-mongo --redis redis://localhost:6379 --mongo 'embedded:./my try' | jq '.kinds | keys'

Flags:
  -q, --quiet          nothing but errors
      --redis-ca file  file of the CA of a rediss:// server
`
	for columns, want := range map[int]string{
		48: `Copy what Lanyard keeps, also again.

A second paragraph, of
"lanyardctl sweep list --mongo URI", which stays
whole.

Environment
  REDIS_URI         the Redis to read
  REDIS_CA, REDIS_CERT
                    in place of flags
  NO_COLOR          no colour
  An empty variable counts as unset.

Usage:
  lanyardctl migrate redis-to-mongo [flags]

Examples:
  lanyardctl migrate redis-to-mongo \
    --redis redis://localhost:6379 \
    --mongo 'embedded:./my try' \
    | jq '.kinds | keys'

Flags:
  -q, --quiet          nothing but errors
      --redis-ca file  file of the CA of a
                       rediss:// server
`,
		32: `Copy what Lanyard keeps, also
again.

A second paragraph, of
"lanyardctl sweep list --mongo URI",
which stays whole.

Environment
  REDIS_URI
        the Redis to read
  REDIS_CA, REDIS_CERT
                    in place of
                    flags
  NO_COLOR
        no colour
  An empty variable counts as
  unset.

Usage:
  lanyardctl migrate \
    redis-to-mongo [flags]

Examples:
  lanyardctl migrate \
    redis-to-mongo \
    --redis redis://localhost:6379 \
    --mongo 'embedded:./my try' \
    | jq '.kinds | keys'

Flags:
  -q, --quiet
        nothing but errors
      --redis-ca file
        file of the CA of a
        rediss:// server
`,
	} {
		if got := Reflow(text, columns); got != want {
			t.Errorf("at %d columns:\n%s\nwant:\n%s", columns, got, want)
		}
	}
}
