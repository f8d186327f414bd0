package redis_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/handshake"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/certs"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// withTLS starts a redis-server that speaks TLS on the returned port, and asks for a client certificate of ca where clients
// is "yes" or "optional".
func withTLS(t *testing.T, ca *certs.CA, own certs.Pair, clients string, more ...string) (srv *redisserver.Server, port string) {
	t.Helper()
	port = fmt.Sprint(redisserver.FreePort(t))
	return redisserver.Start(t, append([]string{"--tls-port", port, "--tls-cert-file", own.Cert, "--tls-key-file", own.Key,
		"--tls-ca-cert-file", ca.File, "--tls-auth-clients", clients}, more...)...), port
}

// repeated is how often the same failure has to have the same message: which of a server's answers a client reads is a
// matter of chance.
const repeated = 20

// refused checks that what o names is never opened, and always for the same reason in the same words.
func refused(t *testing.T, o redis.Options, times int, reason error, text string) {
	t.Helper()
	for i := range times {
		s, err := redis.Open(context.Background(), o)
		if err == nil {
			_ = s.Close()
			t.Fatalf("attempt %d: opened", i)
		}
		if !errors.Is(err, reason) || err.Error() != text {
			t.Fatalf("attempt %d\n got %v\nwant %s", i, err, text)
		}
	}
}

func TestEachFailureOfTLSHasItsReason(t *testing.T) {
	t.Parallel()
	ca, other := certs.NewCA(t, "the CA"), certs.NewCA(t, "the other CA")
	here := []string{"127.0.0.1"}
	day := 24 * time.Hour
	now := time.Now().UTC().Truncate(time.Second)
	date := func(at time.Time) string { return at.Format("2006-01-02 15:04:05 UTC") }

	good := ca.Sign(here)
	plain, port := withTLS(t, ca, good, "no")
	_, expired := withTLS(t, ca, ca.Sign(here, certs.Valid(now.Add(-2*day), now.Add(-day))), "no")
	_, early := withTLS(t, ca, ca.Sign(here, certs.Valid(now.Add(day), now.Add(2*day))), "no")
	_, elsewhere := withTLS(t, ca, ca.Sign([]string{"redis.example", "10.0.0.9"}), "no")
	_, nameless := withTLS(t, ca, ca.Sign(nil), "no")
	_, wary := withTLS(t, ca, good, "yes")
	_, wary12 := withTLS(t, ca, good, "yes", "--tls-protocols", "TLSv1.2")
	_, old := withTLS(t, ca, good, "no", "--tls-protocols", "TLSv1.1")
	_, odd := withTLS(t, ca, good, "no", "--tls-protocols", "TLSv1.2", "--tls-ciphers", "DHE-RSA-AES256-SHA:@SECLEVEL=0")
	wrongUse := ca.Sign(here, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	_, client := withTLS(t, ca, wrongUse, "no")

	mine := ca.Sign(nil)
	foreign := other.Sign(nil, certs.Valid(now.Add(-day), now.Add(day)))
	foreignText := "the server refuses the client certificate: that of CN=signed for a test, signed by CN=the other CA, valid from " +
		date(now.Add(-day)) + " to " + date(now.Add(day))
	outdated := ca.Sign(nil, certs.Valid(now.Add(-2*day), now.Add(-day)))
	outdatedText := "the server refuses the client certificate: that of CN=signed for a test, signed by CN=the CA, valid from " +
		date(now.Add(-2*day)) + " to " + date(now.Add(-day))
	_, plainPort, _ := net.SplitHostPort(plain.Addr)

	trusted := redis.TLS{CA: ca.File}
	known := func(p certs.Pair) redis.TLS { return redis.TLS{CA: ca.File, Cert: p.Cert, Key: p.Key} }
	for rule, c := range map[string]struct {
		scheme, port string
		tls          redis.TLS
		reason       error // nil where it opens
		text         string
	}{
		"the right CA":            {"rediss", port, trusted, nil, ""},
		"the system's CAs":        {"rediss", port, redis.TLS{}, handshake.ErrAuthority, "the server's certificate is signed by an authority that is not known here: it is signed by CN=the CA"},
		"another CA":              {"rediss", port, redis.TLS{CA: other.File}, handshake.ErrAuthority, "the server's certificate is signed by an authority that is not known here: it is signed by CN=the CA"},
		"expired":                 {"rediss", expired, trusted, handshake.ErrExpired, "the server's certificate has expired: since " + date(now.Add(-day))},
		"not valid yet":           {"rediss", early, trusted, handshake.ErrNotYetValid, "the server's certificate is not valid yet: not before " + date(now.Add(day))},
		"another name":            {"rediss", elsewhere, trusted, handshake.ErrName, "the server's certificate is for another name: it is for redis.example, 10.0.0.9, and not for 127.0.0.1"},
		"that name asked for":     {"rediss", elsewhere, redis.TLS{CA: ca.File, ServerName: "redis.example"}, nil, ""},
		"no name":                 {"rediss", nameless, trusted, handshake.ErrName, "the server's certificate is for another name: it is for no name (CN=signed for a test does not count as one), and not for 127.0.0.1"},
		"not for servers":         {"rediss", client, trusted, handshake.ErrCertificate, "the server's certificate cannot be verified: x509: certificate specifies an incompatible key usage"},
		"a client's needed":       {"rediss", wary, trusted, handshake.ErrClientMissing, "the server asks for a client certificate, and none is given"},
		"the same with TLS 1.2":   {"rediss", wary12, trusted, handshake.ErrClientMissing, "the server asks for a client certificate, and none is given"},
		"a client's given":        {"rediss", wary, known(mine), nil, ""},
		"given with TLS 1.2":      {"rediss", wary12, known(mine), nil, ""},
		"given without need":      {"rediss", port, known(mine), nil, ""},
		"of another CA":           {"rediss", wary, known(foreign), handshake.ErrClientRefused, foreignText},
		"the same, TLS 1.2":       {"rediss", wary12, known(foreign), handshake.ErrClientRefused, foreignText},
		"that of a client is old": {"rediss", wary, known(outdated), handshake.ErrClientRefused, outdatedText},
		"no version in common":    {"rediss", old, trusted, handshake.ErrNoCommon, "the server takes no TLS version or cipher that is safe"},
		"no cipher in common":     {"rediss", odd, trusted, handshake.ErrNoCommon, "the server takes no TLS version or cipher that is safe"},
		"TLS to a plain port":     {"rediss", plainPort, trusted, handshake.ErrNoTLS, "the server does not speak TLS"},
		"plain to a TLS port":     {"redis", port, redis.TLS{}, handshake.ErrOnlyTLS, "the server speaks TLS alone"},
		"plain, a client needed":  {"redis", wary12, redis.TLS{}, handshake.ErrOnlyTLS, "the server speaks TLS alone"},
		"plain to a plain port":   {"redis", plainPort, redis.TLS{}, nil, ""},
	} {
		t.Run(rule, func(t *testing.T) {
			o := redis.Options{URI: c.scheme + "://127.0.0.1:" + c.port, TLS: c.tls, Timeout: 5 * time.Second}
			if c.reason == nil {
				open(t, o)
				return
			}
			times := repeated
			if c.reason == handshake.ErrNoTLS { // which takes a second to find out
				times = 3
			}
			refused(t, o, times, c.reason, "open redis 127.0.0.1:"+c.port+": "+c.text)
		})
	}
	skip := redis.Options{URI: "rediss://127.0.0.1:" + expired + "?skip_verify=true"}
	open(t, skip)
	if !skip.Unverified() || (redis.Options{URI: "rediss://127.0.0.1"}).Unverified() || (redis.Options{URI: "redis://h?skip_verify=true"}).Unverified() {
		t.Error("what is unverified is not told")
	}
}

// TestAClientCertificateIsAskedForLater reads from a server that asks for a client certificate only from the second
// connection on. A proxy whose server is away looks the same, so that is tried again.
func TestAClientCertificateIsAskedForLater(t *testing.T) {
	ca := certs.NewCA(t, "the CA")
	t.Parallel()
	srv, port := withTLS(t, ca, ca.Sign([]string{"127.0.0.1"}), "no")
	fill(t, client(t, srv.URI), cmd("SET", "lanyard_last_seen:"+alice, "1700000000000"))
	s := open(t, redis.Options{URI: "rediss://127.0.0.1:" + port, TLS: redis.TLS{CA: ca.File}, RetryFor: 5 * time.Second})
	c := client(t, srv.URI)
	fill(t, c, cmd("CONFIG", "SET", "tls-auth-clients", "yes"), cmd("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
	_, err := s.Source(redis.SourceOptions{Request: layout.Request{Now: now}}).Parts(context.Background())
	if err == nil {
		err = readErr(s)
	}
	if !errors.Is(err, handshake.ErrClientMissing) || !errors.Is(err, record.ErrGivenUp) {
		t.Fatal(err)
	}
}

// readErr reads the first part of s and returns how that failed.
func readErr(s *redis.Store) error {
	parts, err := s.Source(redis.SourceOptions{Request: layout.Request{Now: now}}).Parts(context.Background())
	if err != nil {
		return err
	}
	return parts[0].Read(context.Background(), "", func(record.Page) error { return nil })
}

func TestFilesForTLSThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	ca := certs.NewCA(t, "the CA")
	a, b := ca.Sign(nil), ca.Sign(nil)
	dir := t.TempDir()
	missing, empty, locked := filepath.Join(dir, "missing.pem"), filepath.Join(dir, "empty.pem"), filepath.Join(dir, "locked.pem")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(empty, "")
	write(locked, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nc2VjcmV0\n-----END ENCRYPTED PRIVATE KEY-----\n")
	for rule, c := range map[string]struct {
		tls  redis.TLS
		want string
	}{
		"no file of the CA":       {redis.TLS{CA: missing}, missing + ": no such file"},
		"a folder for the CA":     {redis.TLS{CA: dir}, dir + ": is a directory"},
		"a CA that is none":       {redis.TLS{CA: empty}, empty + " holds no PEM certificate"},
		"a key for a CA":          {redis.TLS{CA: a.Key}, a.Key + " holds no PEM certificate"},
		"no file of the client":   {redis.TLS{Cert: missing, Key: a.Key}, missing + ": no such file"},
		"no file of the key":      {redis.TLS{Cert: a.Cert, Key: missing}, missing + ": no such file"},
		"a client that is none":   {redis.TLS{Cert: empty, Key: a.Key}, empty + " holds no PEM certificate"},
		"the two the wrong way":   {redis.TLS{Cert: a.Key, Key: a.Cert}, a.Key + " holds no PEM certificate"},
		"a key that is none":      {redis.TLS{Cert: a.Cert, Key: empty}, empty + " holds no PEM key"},
		"a key with a password":   {redis.TLS{Cert: a.Cert, Key: locked}, locked + " is encrypted with a password"},
		"a key of another client": {redis.TLS{Cert: a.Cert, Key: b.Key}, "the key in " + b.Key + " does not fit the certificate in " + a.Cert},
	} {
		_, err := redis.Open(context.Background(), redis.Options{URI: "rediss://127.0.0.1:1", TLS: c.tls})
		if !errors.Is(err, redis.ErrTLSFile) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

func TestTLSReachesAClusterAndASentinelsMaster(t *testing.T) {
	t.Parallel()
	ca := certs.NewCA(t, "the CA")
	own, mine := ca.Sign([]string{"127.0.0.1"}), ca.Sign(nil)
	files := redis.TLS{CA: ca.File, Cert: mine.Cert, Key: mine.Key}
	tlsArgs := func(port string) []string {
		return []string{"--tls-port", port, "--tls-cert-file", own.Cert, "--tls-key-file", own.Key, "--tls-ca-cert-file", ca.File, "--tls-auth-clients", "yes"}
	}
	port, guard := fmt.Sprint(redisserver.FreePort(t)), fmt.Sprint(redisserver.FreePort(t))
	cluster := redisserver.StartCluster(t, 1, append(tlsArgs(port), "--tls-cluster", "yes", "--cluster-announce-ip", "127.0.0.1")...)
	fill(t, cluster.Client(t), cmd("SET", "lanyard_last_seen:"+alice, "1700000000000"))
	for rule, uri := range map[string]string{
		"a Cluster that is named":   "rediss://127.0.0.1:" + port + "?addr=127.0.0.1:" + port,
		"a Cluster that is noticed": "rediss://127.0.0.1:" + port,
	} {
		s := open(t, redis.Options{URI: uri, TLS: files})
		if i := s.Info(); i.Mode != redis.Cluster || i.Nodes[0].Addr != "127.0.0.1:"+port {
			t.Errorf("%s: %+v", rule, i)
		}
		if r := readAll(t, s.Source(redis.SourceOptions{Request: layout.Request{Now: now}})); len(r.items) != 1 {
			t.Errorf("%s: %+v", rule, r)
		}
		refused(t, redis.Options{URI: uri, TLS: redis.TLS{CA: ca.File}}, repeated, handshake.ErrClientMissing,
			"open redis 127.0.0.1:"+port+": the server asks for a client certificate, and none is given")
	}

	port = fmt.Sprint(redisserver.FreePort(t))
	master := redisserver.Start(t, tlsArgs(port)...)
	fill(t, client(t, master.URI), cmd("SET", "lanyard_last_seen:"+alice, "1700000000000"))
	// Each host shows a certificate of its own, which is for that host alone.
	own = ca.Sign([]string{"localhost"})
	redisserver.StartSentinel(t, "main", &redisserver.Server{Addr: "127.0.0.1:" + port}, append(tlsArgs(guard), "--tls-replication", "yes")...)
	s := open(t, redis.Options{URI: "rediss://localhost:" + guard + "?master_name=main", TLS: files})
	if i := s.Info(); i.Mode != redis.Sentinel || i.Keys != 1 {
		t.Errorf("%+v", i)
	}
	refused(t, redis.Options{URI: "rediss://127.0.0.1:" + guard + "?master_name=main", TLS: files}, repeated, handshake.ErrName,
		"open redis 127.0.0.1:"+guard+": the server's certificate is for another name: it is for localhost, and not for 127.0.0.1")
}

// TestAnAlertThatIsLostIsAskedForAgain resets every other connection after the handshake, as happens where the server had
// not read all that was sent to it.
func TestAnAlertThatIsLostIsAskedForAgain(t *testing.T) {
	t.Parallel()
	ca := certs.NewCA(t, "the CA")
	own := ca.Sign([]string{"127.0.0.1"})
	_, wary := withTLS(t, ca, own, "yes")
	_, lax := withTLS(t, ca, own, "optional")
	addr := resetting(t, wary)
	refused(t, redis.Options{URI: "rediss://" + addr, TLS: redis.TLS{CA: ca.File}}, repeated, handshake.ErrClientMissing,
		"open redis "+addr+": the server asks for a client certificate, and none is given")

	// A server that does without one ended the connection for another reason.
	_, err := redis.Open(context.Background(), redis.Options{URI: "rediss://" + resetting(t, lax), TLS: redis.TLS{CA: ca.File}})
	if !errors.Is(err, redis.ErrNotRedis) {
		t.Errorf("%v", err)
	}
}

// resetting stands in front of the port and resets every other connection after the client's part of the handshake.
func resetting(t *testing.T, port string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for n := 0; ; n++ {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err != nil {
				t.Error(err)
			}
			all.Go(func() {
				defer in.Close()
				_, _ = io.Copy(in, out)
			})
			all.Go(func() {
				defer out.Close()
				b := make([]byte, 64<<10)
				for writes := 0; ; writes++ {
					got, err := in.Read(b)
					if err == nil && writes == 1 && n%2 == 0 {
						_ = in.(*net.TCPConn).SetLinger(0)
						_ = in.Close()
					}
					if err != nil {
						return
					}
					_, _ = out.Write(b[:got])
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return l.Addr().String()
}
