package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"syscall"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/internal/handshake"
	"github.com/lanyardctl/lanyardctl/record"
)

// Why a server cannot be opened, read or changed. The error of [Open], and that of a read, wraps one of these, or of [handshake]'s,
// where it knows.
var (
	ErrScheme      = errors.New("unknown scheme: redis://, rediss:// and unix:// are known")
	ErrURI         = errors.New("not a usable URI")
	ErrUnreachable = errors.New("unreachable")
	ErrNoHost      = fmt.Errorf("%w: no such host", ErrUnreachable)
	ErrTLSFile     = errors.New("a file for TLS cannot be used")
	ErrAuth        = errors.New("the server refuses the user name or password")
	ErrNoPassword  = errors.New("the server asks for a password, and none is given")
	ErrPermission  = errors.New("the user may not run a command that is needed")
	ErrKeys        = errors.New("the user may not read keys that are needed")
	ErrCommand     = errors.New("the server does not know a command that is needed")
	ErrDatabase    = errors.New("the server has no database of this number")
	ErrSlots       = errors.New("not all slots of the Cluster are served")
	ErrMasterDown  = errors.New("the replica serves nothing while it is without its master")
	ErrMaxClients  = errors.New("the server takes no more clients (maxclients)")
	ErrProtected   = errors.New("the server takes clients of its own machine alone (protected mode)")
	ErrReadOnly    = errors.New("the server is a replica, to which nothing can be written")
	ErrMemory      = errors.New("the server's memory is full (maxmemory)")
	ErrDisk        = errors.New("the server takes no writes, since it could not write its data to its disk")
	ErrReplicas    = errors.New("the server takes no writes, since it has fewer good replicas than min-replicas-to-write")
	ErrLoading     = errors.New("the server is still loading its data")
	ErrNotRedis    = errors.New("this is no Redis server")
	ErrSentinel    = errors.New("this is a Sentinel: name the master by master_name=")
	ErrNoSentinel  = errors.New("this is no Sentinel, and master_name= asks for one")
	ErrNoReplica   = errors.New("the master has no replica that is in step with it")
	ErrNoCluster   = errors.New("this is no Cluster, and addr= asks for one")
)

// Why what was read is not all. Each comes with [record.ErrSourceMoved].
var (
	ErrResharded = errors.New("slots of the Cluster move without end")
	ErrReplaced  = errors.New("the server's data went away or were replaced during the run")
	ErrRestarted = errors.New("the server was restarted during the run, or another took its place") // while it was written to
	ErrShrank    = errors.New("the server lost keys during the run")                                // [Options.AllowShrinking] allows it
)

// Error is a failure of [Open]. Its text holds no secret.
type Error struct {
	Addr   string // empty where there is none yet
	Reason error  // one of this package's errors or of package handshake's, nil where none fits
	Detail string

	Sentinel bool // a Sentinel refused, which has users of its own
}

// Error returns the address, the reason and the detail.
func (e *Error) Error() string {
	parts := []string{"open redis"}
	if e.Sentinel {
		parts[0] = "ask Sentinel"
	}
	if e.Addr != "" {
		parts[0] += " " + e.Addr
	}
	if e.Reason != nil {
		parts = append(parts, e.Reason.Error())
	}
	if e.Detail != "" {
		parts = append(parts, e.Detail)
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns the reason. It is a list, since go-redis takes one error off those of a new connection.
func (e *Error) Unwrap() []error {
	if e.Reason == nil {
		return nil
	}
	return []error{e.Reason}
}

func failure(addr string, reason error, detail string) error {
	return &Error{Addr: addr, Reason: reason, Detail: detail}
}

// diagnose says why a first conversation with the server at addr failed, by TLS where secure is set.
func diagnose(addr string, secure bool, err error) error {
	var (
		netErr   net.Error
		redisErr goredis.Error
		lookup   *net.DNSError
		own      *Error
	)
	switch {
	case errors.As(err, &own):
		return err
	case reasonOf(err) == ErrDatabase, reasonOf(err) == ErrNoCluster:
		return failure(addr, reasonOf(err), "") // which says all
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return failure(addr, ErrNoHost, "")
	case reasonOf(err) != nil:
		return failure(addr, reasonOf(err), plain(err))
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return failure(addr, ErrUnreachable, "no answer in time")
	case handshake.Ended(err) && secure:
		return failure(addr, ErrNotRedis, "it closed the connection, and perhaps does not speak TLS")
	case handshake.Ended(err):
		return failure(addr, ErrNotRedis, "it closed the connection")
	case isNetwork(err):
		return failure(addr, ErrUnreachable, plain(err))
	case errors.As(err, &redisErr):
		return failure(addr, nil, plain(err))
	}
	return failure(addr, ErrNotRedis, "it does not speak Redis's protocol")
}

// answers are the beginnings of what a server answers where it refuses, with what they mean.
var answers = []struct {
	prefix string
	reason error
}{
	{"NOAUTH", ErrNoPassword},
	{"WRONGPASS", ErrAuth}, {"AUTH", ErrAuth}, {"invalid password", ErrAuth}, {"Client sent AUTH", ErrAuth},
	{"NOPERM No permissions to access a key", ErrKeys}, {"NOPERM this user has no permissions to access one of the keys", ErrKeys},
	{"NOPERM", ErrPermission},
	{"LOADING", ErrLoading},
	{"unknown command", ErrCommand},
	{"DB index is out of range", ErrDatabase}, {"invalid DB index", ErrDatabase},
	{"SELECT is not allowed in cluster mode", ErrURI},
	{"This instance has cluster support disabled", ErrNoCluster},
	{"CLUSTERDOWN", ErrSlots},
	{"MASTERDOWN", ErrMasterDown},
	{"max number of clients", ErrMaxClients},
	{"DENIED", ErrProtected},
	{"READONLY", ErrReadOnly},
	{"OOM", ErrMemory},
	{"MISCONF", ErrDisk},
	{"NOREPLICAS", ErrReplicas},
}

// reasonOf returns why the server refused, nil where it did not say so.
func reasonOf(err error) error {
	for _, a := range answers {
		if goredis.HasErrorPrefix(err, a.prefix) {
			return a.reason
		}
	}
	return nil
}

// refusedCommand finds the command that a server does not know or does not let the user run: 'hgetall', 'memory|usage'.
var refusedCommand = regexp.MustCompile(`['` + "`" + `]([A-Za-z]+(?:\|[a-z-]+)?)['` + "`" + `]`)

// RefusedCommand returns the command that the server refused with an [ErrPermission] or an [ErrCommand], in lower case,
// and nothing for another error.
func RefusedCommand(err error) string {
	if !errors.Is(err, ErrPermission) && !errors.Is(err, ErrCommand) {
		return ""
	}
	var redisErr goredis.Error
	text := err.Error()
	if errors.As(err, &redisErr) {
		text = redisErr.Error()
	}
	if strings.HasPrefix(text, "NOPERM") && strings.Contains(text, "channel") {
		return "publish" // the only command that names a channel
	}
	if found := refusedCommand.FindStringSubmatch(text); found != nil {
		return strings.ToLower(found[1])
	}
	return ""
}

// turnsAway reports whether a server closes the connection after it has answered err.
func turnsAway(err error) bool {
	reason := reasonOf(err)
	return reason == ErrMaxClients || reason == ErrProtected
}

// Passes reports whether err is a refusal that ends by itself or by what is done to the server. Other refusals are for good.
func Passes(err error) bool {
	return errors.Is(err, ErrSlots) || errors.Is(err, ErrMasterDown) || errors.Is(err, ErrMaxClients) || errors.Is(err, ErrLoading)
}

func isNetwork(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr)
}

// plain returns the text of a server's error without the arguments of the command, which may be secrets, and without
// advice, and of the system's what went wrong alone: "connection refused".
func plain(err error) string {
	var system syscall.Errno
	if errors.As(err, &system) {
		return system.Error()
	}
	text, _, _ := strings.Cut(err.Error(), ", with args")
	if errors.Is(reasonOf(err), ErrProtected) {
		text, _, _ = strings.Cut(text, ". ")
	}
	return text
}

// temporary reports whether the same call may succeed a little later.
func temporary(err error) bool {
	if _, moved := goredis.IsMovedError(err); moved {
		return true
	}
	if _, ask := goredis.IsAskError(err); ask {
		return true
	}
	// A proxy whose server is away ends a conversation in the same way as one that wants a certificate.
	if errors.Is(err, handshake.ErrClientMissing) || errors.Is(err, handshake.ErrClientRefused) {
		return true
	}
	if errors.Is(err, errUnsettled) || errors.Is(err, errNoMaster) || errors.Is(err, ErrNoReplica) || errors.Is(err, ErrFeedEnded) {
		return true
	}
	return isNetwork(err) || errors.Is(err, ErrLoading) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, goredis.ErrPoolTimeout) || goredis.IsLoadingError(err) || goredis.IsTryAgainError(err) ||
		goredis.IsClusterDownError(err) || goredis.IsMasterDownError(err) || errors.Is(reasonOf(err), ErrMaxClients) ||
		goredis.HasErrorPrefix(err, "BUSY ") // a script runs, or a function
}

func isWrongType(err error) bool { return goredis.HasErrorPrefix(err, "WRONGTYPE") }

// isRefused reports whether the server does not know the command or does not let this user run it.
func isRefused(err error) bool {
	return goredis.IsPermissionError(err) || goredis.HasErrorPrefix(err, "unknown command")
}

// callError is a read or a change that failed. It unwraps to what failed and, where trying again may help, to [record.ErrUnavailable];
// its text holds no argument of a command.
type callError struct {
	what    string
	cause   error
	givenUp time.Duration // how long it was tried again
}

func (e *callError) Error() string {
	text := e.what + ": " + plain(e.cause)
	if e.givenUp > 0 {
		text += fmt.Sprintf(" (tried again for %s)", e.givenUp)
	}
	return text
}

func (e *callError) Unwrap() []error {
	list := []error{e.cause}
	if reason := reasonOf(e.cause); reason != nil {
		list = append(list, reason)
	}
	if temporary(e.cause) {
		list = append(list, record.ErrUnavailable, record.ErrGivenUp)
	}
	return list
}
