package mongo

import (
	"strconv"
	"strings"
)

// class is what an error leads to.
type class uint8

const (
	fatal          class = iota // the run ends with the error
	transient                   // the same call may succeed later
	aboutDocument               // a document is to blame: a batch is halved until it is found, and that one is rejected
	duplicate                   // a unique index has the value already
	authentication              // the user or the password is wrong
	permission                  // the user may not do this
	indexConflict               // an index is in the way of the one that has to be made
	unwritable                  // no collection that can be written to, such as a view
)

// code is a server's error by its number.
type code struct {
	name  string
	class class
}

// The codes that the store asks for by themselves.
const (
	codeInternalError       = 1
	codeNamespaceNotFound   = 26
	codeMaxTimeExpired      = 50
	codeCommandNotFound     = 59
	codeCannotCreateIndex   = 67
	codeUnknownWriteConcern = 79
	codeDuplicateKey        = 11000
)

// codes are the server errors that lead to something else than the end of a run, and those of which people should see a
// name where the server tells the number alone, as it does of a document in a batch. Names and categories are those of
// MongoDB's error_codes.yml.
var codes = map[int32]code{
	1:     {"InternalError", aboutDocument},
	2:     {"BadValue", aboutDocument},
	6:     {"HostUnreachable", transient},
	7:     {"HostNotFound", transient},
	8:     {"UnknownError", fatal},
	9:     {"FailedToParse", aboutDocument},
	11:    {"UserNotFound", authentication},
	13:    {"Unauthorized", permission},
	15:    {"Overflow", aboutDocument}, // nested too deeply
	18:    {"AuthenticationFailed", authentication},
	20:    {"IllegalOperation", fatal},
	22:    {"InvalidBSON", aboutDocument},
	24:    {"LockTimeout", transient},
	26:    {"NamespaceNotFound", fatal},
	28:    {"PathNotViable", aboutDocument},
	43:    {"CursorNotFound", transient},
	46:    {"LockBusy", transient},
	50:    {"MaxTimeMSExpired", transient},
	52:    {"DollarPrefixedFieldName", aboutDocument},
	53:    {"InvalidIdField", aboutDocument},
	56:    {"EmptyFieldName", aboutDocument},
	57:    {"DottedFieldName", aboutDocument},
	61:    {"ShardKeyNotFound", aboutDocument},
	63:    {"StaleShardVersion", transient},
	64:    {"WriteConcernTimeout", transient},
	66:    {"ImmutableField", aboutDocument},
	67:    {"CannotCreateIndex", fatal},
	72:    {"InvalidOptions", fatal},
	79:    {"UnknownReplWriteConcern", fatal},
	85:    {"IndexOptionsConflict", indexConflict},
	86:    {"IndexKeySpecsConflict", indexConflict},
	89:    {"NetworkTimeout", transient},
	91:    {"ShutdownInProgress", transient},
	94:    {"NotYetInitialized", transient},
	100:   {"UnsatisfiableWriteConcern", transient},
	112:   {"WriteConflict", transient},
	116:   {"DocTooLargeForCapped", aboutDocument},
	117:   {"ConflictingOperationInProgress", transient},
	121:   {"DocumentValidationFailure", aboutDocument},
	133:   {"FailedToSatisfyReadPreference", transient},
	134:   {"ReadConcernMajorityNotAvailableYet", transient},
	145:   {"PooledConnectionsDropped", transient},
	149:   {"NoConfigPrimary", transient},
	150:   {"StaleEpoch", transient},
	166:   {"CommandNotSupportedOnView", unwritable},
	167:   {"OptionNotSupportedOnView", unwritable},
	171:   {"CannotIndexParallelArrays", aboutDocument},
	175:   {"QueryPlanKilled", transient},
	189:   {"PrimarySteppedDown", transient},
	201:   {"CannotBuildIndexKeys", aboutDocument},
	202:   {"NetworkInterfaceExceededTimeLimit", transient},
	215:   {"DatabaseDropPending", transient},
	216:   {"ElectionInProgress", transient},
	234:   {"RetryChangeStream", transient},
	237:   {"CursorKilled", transient},
	239:   {"SnapshotTooOld", transient},
	246:   {"SnapshotUnavailable", transient},
	249:   {"StaleDbVersion", transient},
	250:   {"StaleChunkHistory", transient},
	261:   {"TooManyLogicalSessions", transient},
	262:   {"ExceededTimeLimit", transient},
	264:   {"TooManyFilesOpen", fatal},
	272:   {"MigrationConflict", transient},
	276:   {"IndexBuildAborted", transient},
	278:   {"UnsatisfiableCommitQuorum", fatal},
	279:   {"ClientDisconnect", transient},
	285:   {"IndexBuildAlreadyInProgress", transient},
	290:   {"TransactionExceededLifetimeLimitSeconds", transient},
	317:   {"ConnectionPoolExpired", transient},
	334:   {"MechanismUnavailable", authentication},
	342:   {"ReshardingCriticalSectionTimeout", transient},
	355:   {"InterruptedDueToStorageChange", transient},
	357:   {"InvalidBSONType", aboutDocument},
	358:   {"InternalTransactionNotSupported", transient},
	365:   {"TemporarilyUnavailable", transient},
	371:   {"UserWritesBlocked", fatal},
	378:   {"NonConformantBSON", aboutDocument},
	384:   {"ConnectionError", transient},
	391:   {"ReauthenticationRequired", authentication},
	402:   {"ResourceExhausted", transient},
	406:   {"MigrationBlockingOperationCoordinatorCleaningUp", transient},
	407:   {"PooledConnectionAcquisitionExceededTimeLimit", transient},
	412:   {"UpdatesStillPending", transient},
	433:   {"AdmissionQueueOverflow", transient},
	449:   {"RateLimitExceeded", transient},
	450:   {"PooledConnectionAcquisitionRejected", transient},
	453:   {"InterruptedDueToReshardingCriticalSection", transient},
	462:   {"IngressRequestRateLimitExceeded", transient},
	8000:  {"AtlasError", permission}, // of MongoDB's hosted service
	9001:  {"SocketException", transient},
	10003: {"CannotGrowDocumentInCappedNamespace", aboutDocument},
	10058: {"NotPrimary", transient}, // of servers before 4.4
	10107: {"NotWritablePrimary", transient},
	10334: {"BSONObjectTooLarge", aboutDocument},
	11000: {"DuplicateKey", duplicate},
	11001: {"DuplicateKey", duplicate}, // of an update
	11600: {"InterruptedAtShutdown", transient},
	11601: {"Interrupted", fatal}, // by somebody's killOp
	11602: {"InterruptedDueToReplStateChange", transient},
	12582: {"DuplicateKey", duplicate},
	12586: {"BackgroundOperationInProgressForDatabase", transient},
	12587: {"BackgroundOperationInProgressForNamespace", transient},
	13388: {"StaleConfig", transient},
	13435: {"NotPrimaryNoSecondaryOk", transient},
	13436: {"NotPrimaryOrSecondary", transient},
	14031: {"OutOfDiskSpace", fatal},
	16755: {"Location16755", aboutDocument}, // no geometry, where an index wants one
	16766: {"Location16766", aboutDocument}, // an array, where an index is hashed
	17261: {"Location17261", aboutDocument}, // no text for a language, where an index is of texts
	17262: {"Location17262", aboutDocument}, // no language
	17280: {"KeyTooLong", aboutDocument},
	17419: {"Location17419", aboutDocument}, // it would grow too large
	17420: {"Location17420", aboutDocument},
	46841: {"ClientMarkedKilled", fatal},
	50915: {"BackupCursorOpenConflictWithCheckpoint", transient},
	91331: {"RetriableRemoteCommandFailure", transient},

	10045600: {"InterruptedDueToFCVChange", transient},
}

// classOf returns what a server's error leads to.
func classOf(number int32) class { return codes[number].class }

// codeText returns an error's number and name for people: "2 BadValue".
func codeText(number int32) string {
	return strings.TrimSpace(strconv.Itoa(int(number)) + " " + codes[number].name)
}
