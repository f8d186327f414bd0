package invocation

import "slices"

// The commands, as they are called.
const (
	Migrate = "migrate redis-to-mongo"
	Verify  = "verify"

	MigrateBack = "migrate mongo-to-redis"
	VerifyThere = Verify + " redis-to-mongo" // another name of Verify
	VerifyBack  = Verify + " mongo-to-redis"
	Forget      = "forget"

	MigrateTables     = "migrate dynamodb-to-mongo"
	MigrateTablesBack = "migrate mongo-to-dynamodb"
	VerifyTables      = Verify + " dynamodb-to-mongo"
	VerifyTablesBack  = Verify + " mongo-to-dynamodb"
	CreateTables      = "dynamodb create-tables"
	ForgetTables      = "dynamodb forget"
	RememberGet       = "remember get"
	RememberSet       = "remember set"
	RememberList      = "remember list"
	RememberDelete    = "remember delete"

	Sweep     = "sweep"
	SweepList = Sweep + " list"
	SweepShow = Sweep + " show"
	SweepUndo = Sweep + " undo"

	Sync = "sync"

	Status = "status"

	Get      = "get"
	KVList   = "kv list"
	KVGet    = "kv get"
	KVSet    = "kv set"
	KVDel    = "kv del"
	KVImport = "kv import"
	KVExport = "kv export"
	KVUnify  = "kv unify"

	APIKeyShow   = "apikey show"
	APIKeyRotate = "apikey rotate"
	APIKeyRevoke = "apikey revoke"
	APIKeyWhois  = "apikey whois"

	MetricsShow  = "metrics show"
	MetricsFlush = "metrics flush"

	RejectsShow       = "rejects show"
	RejectsRetry      = "rejects retry"
	SupersededShow    = "superseded show"
	SupersededRestore = "superseded restore"
)

// The flags by which one command goes on with what another did: with its target, with how it spoke TLS to Redis, with
// its source as well, and with its persistence layer.
var (
	TargetFlags   = []string{"mongo", "database", "timeout", "retry-for", "mongo-server-name"}
	RedisTLSFlags = []string{"redis-ca", "redis-cert", "redis-key", "redis-server-name"}
	RetryFlags    = slices.Concat([]string{"redis", "on-conflict", "kv-prefer", "allow-empty", "allow-shrinking", "max-rate", "redis-replica"}, RedisTLSFlags, TargetFlags)
	LayerFlags    = slices.Concat([]string{"redis", "app"}, RedisTLSFlags, TargetFlags)
	PairFlags     = slices.Concat([]string{"redis", "only", "user", "on-conflict", "kv-prefer", "allow-empty", "allow-shrinking", "max-rate", "redis-replica"}, RedisTLSFlags, TargetFlags)
	TableFlags    = slices.Concat([]string{"dynamodb", "tables", "table", "on-conflict", "allow-empty", "max-rcu"}, TargetFlags)
	BackFlags     = slices.Concat([]string{"redis", "layout", "as-json", "only", "user", "on-conflict", "allow-empty"}, RedisTLSFlags, TargetFlags)
)
