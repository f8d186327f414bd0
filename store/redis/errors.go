package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
)

// Why a server cannot be opened. The error of [Open] wraps one of these where it knows.
var (
	ErrScheme      = errors.New("unknown scheme: redis://, rediss:// and unix:// are known")
	ErrURI         = errors.New("not a usable URI")
	ErrUnreachable = errors.New("unreachable")
	ErrCertificate = errors.New("the server's TLS certificate cannot be verified")
	ErrAuth        = errors.New("the server refuses the user name or password")
	ErrPermission  = errors.New("the user may not run a command that is needed")
	ErrLoading     = errors.New("the server is still loading its data")
	ErrNotRedis    = errors.New("this is no Redis server")
	ErrSentinel    = errors.New("this is a Sentinel: name the master by master_name=")
)

// Why a scan cannot be complete. Another run starts over.
var (
	ErrRestarted = errors.New("the server restarted or failed over during the scan")
	ErrResharded = errors.New("slots of the Cluster moved during the scan")
)

// Error is a failure of [Open]. Its text holds no secret.
type Error struct {
	Addr   string // empty where there is none yet
	Reason error  // one of this package's errors, nil where none fits
	Detail string
}

// Error returns the address, the reason and the detail.
func (e *Error) Error() string {
	parts := []string{"open redis"}
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

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Reason }

func failure(addr string, reason error, detail string) error {
	return &Error{Addr: addr, Reason: reason, Detail: detail}
}

// diagnose says why a first conversation with the server at addr failed, by TLS where secure is set.
func diagnose(addr string, secure bool, err error) error {
	var (
		netErr   net.Error
		redisErr goredis.Error
		own      *Error
		cert     *tls.CertificateVerificationError
		record   tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &own):
		return err
	case goredis.IsAuthError(err), goredis.HasErrorPrefix(err, "AUTH"), goredis.HasErrorPrefix(err, "invalid password"),
		goredis.HasErrorPrefix(err, "Client sent AUTH"):
		return failure(addr, ErrAuth, "")
	case goredis.IsPermissionError(err):
		return failure(addr, ErrPermission, plain(err))
	case goredis.IsLoadingError(err):
		return failure(addr, ErrLoading, "")
	case goredis.HasErrorPrefix(err, "SELECT is not allowed in cluster mode"):
		return failure(addr, ErrURI, "a Cluster has database 0 alone")
	case errors.As(err, &cert):
		return failure(addr, ErrCertificate, cert.Error())
	case errors.As(err, &record):
		return failure(addr, ErrNotRedis, "it does not speak TLS: is it redis:// rather than rediss://?")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		// A Redis without TLS waits for the end of what it takes for a line.
		if secure {
			return failure(addr, ErrUnreachable, "no answer in time: does the server speak TLS (else redis://)?")
		}
		return failure(addr, ErrUnreachable, "no answer in time")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return failure(addr, ErrNotRedis, "it closed the connection: does it want TLS (rediss://)?")
	case isNetwork(err):
		return failure(addr, ErrUnreachable, plain(err))
	case errors.As(err, &redisErr):
		return failure(addr, nil, plain(err))
	}
	return failure(addr, ErrNotRedis, "it does not speak Redis's protocol")
}

func isNetwork(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr)
}

// plain returns the text of a server's error without the arguments of the command, which may be secrets.
func plain(err error) string {
	text, _, _ := strings.Cut(err.Error(), ", with args")
	return text
}

// temporary reports whether the same read may succeed a little later.
func temporary(err error) bool {
	if _, moved := goredis.IsMovedError(err); moved {
		return true
	}
	if _, ask := goredis.IsAskError(err); ask {
		return true
	}
	return isNetwork(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, goredis.ErrPoolTimeout) || goredis.IsLoadingError(err) || goredis.IsTryAgainError(err) ||
		goredis.IsClusterDownError(err) || goredis.IsMasterDownError(err) || goredis.IsMaxClientsError(err)
}

func isWrongType(err error) bool { return goredis.HasErrorPrefix(err, "WRONGTYPE") }

// isRefused reports whether the server does not know the command or does not let this user run it.
func isRefused(err error) bool {
	return goredis.IsPermissionError(err) || goredis.HasErrorPrefix(err, "unknown command")
}

// readError is a failed read. It unwraps to what failed and, where trying again may help, to [record.ErrUnavailable];
// its text holds no argument of a command.
type readError struct {
	what  string
	cause error
}

func (e *readError) Error() string { return e.what + ": " + plain(e.cause) }

func (e *readError) Unwrap() []error {
	switch {
	case temporary(e.cause):
		return []error{e.cause, record.ErrUnavailable}
	case goredis.IsPermissionError(e.cause):
		return []error{e.cause, ErrPermission}
	}
	return []error{e.cause}
}
