package main

const verifyBackLong = `Compare what the MongoDB collections of Lanyard's fork hold with a Redis, in full,
and tell whether anything is missing there. Nothing is written to either. The
question is whether migrate mongo-to-redis would change anything: a target that is
ahead, such as with a later last-seen time or a field of the app's own, is fine.
Values that cannot be migrated are rejected here as by migrate. A difference names
the kind, the user and the field, never a value.

--layout says which layout of the Redis is meant: the default is the one that its
keys are in. Give it, and --as-json, as for migrate. The report alone goes to
standard output; --report writes it to a file as well, as its name ends: .json, .xml
(JUnit) or .md.

` + backEnvironmentHelp + verifyExit

const verifyBackExample = `  lanyardctl verify mongo-to-redis --mongo embedded:./try --redis redis://localhost:6379
  lanyardctl verify mongo-to-redis --layout both --report verify.md
  lanyardctl verify mongo-to-redis --only kv,last_seen --user 94490510688792576 --exact`
