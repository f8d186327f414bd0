package main

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/storetest/certs"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

func plainClient(t *testing.T, s *redisserver.Server) *goredis.Client {
	client := goredis.NewClient(&goredis.Options{Addr: s.Addr})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestTheWayBackByTLSIsTheSame(t *testing.T) {
	t.Parallel()
	ca := certs.NewCA(t, "the CA")
	own, port := ca.Sign([]string{"127.0.0.1"}), redisserver.FreePort(t)
	secure := redisserver.Start(t, "--tls-port", fmt.Sprint(port), "--tls-cert-file", own.Cert, "--tls-key-file", own.Key, "--tls-ca-cert-file", ca.File, "--tls-auth-clients", "no")
	open, source := redisserver.Start(t), moments(t, 20, 1)[0]
	for uri, args := range map[string][]string{open.URI: nil, fmt.Sprintf("rediss://127.0.0.1:%d", port): {"--redis-ca", ca.File}} {
		if code, said := migrateHere(t.Context(), t, source, uri, args...); code != exit.Done {
			t.Fatalf("exit %d: %s", code, said)
		}
	}
	want, got := readRedis(t, plainClient(t, open)), readRedis(t, plainClient(t, secure))
	if d := cmp.Diff(want.kept(), got.kept(), cmp.AllowUnexported(plainRedis{})); d != "" || len(got.texts) == 0 {
		t.Errorf("(-want +got):\n%s", shortened(d))
	}
}

// TestTheWayBackTellsOfAFailover kills the master half way. The one that takes over may lack what was acknowledged last, so the
// run fails. One more makes it exact.
func TestTheWayBackTellsOfAFailover(t *testing.T) {
	t.Parallel()
	master, open := redisserver.Start(t, "--repl-diskless-sync-delay", "0"), redisserver.Start(t)
	host, port, _ := net.SplitHostPort(master.Addr)
	replica := redisserver.Start(t, "--replicaof", host+" "+port)
	sentinel := redisserver.StartSentinel(t, "lanyard", master)
	waitUntil(t, "the Sentinel to know the replica", func() bool {
		return strings.Contains(fmt.Sprint(sentinel.Do("SENTINEL", "REPLICAS", "lanyard")), replica.Addr) &&
			strings.Contains(fmt.Sprint(replica.Do("INFO", "replication")), "master_link_status:up")
	})
	source, uri := moments(t, 2000, 1)[0], "redis://"+sentinel.Addr+"?master_name=lanyard"
	client := plainClient(t, master)
	run := startBack(t, t.TempDir(), source, uri, "migrate", "--as-json", "--batch-size", "5", "--workers", "1")
	waitUntil(t, "keys", func() bool { return client.DBSize(t.Context()).Val() > 200 })
	master.Kill()
	half := plainClient(t, replica).DBSize(t.Context()).Val()
	if code, report := run.wait(); code != exit.Failed || !strings.Contains(report.Error, "another took its place") {
		t.Fatalf("exit %d, %+v\n%s", code, report, &run.stderr)
	}
	if code, said := migrateHere(t.Context(), t, source, open.URI); code != exit.Done {
		t.Fatalf("exit %d: %s", code, said)
	}
	want := readRedis(t, plainClient(t, open)).kept()
	if all := int64(len(want.texts) + len(want.hashes)); half > all*3/4 {
		t.Fatalf("%d of %d keys were there: the run was not met half way", half, all)
	}
	if code, said := migrateHere(t.Context(), t, source, uri); code != exit.Done {
		t.Fatalf("exit %d: %s", code, said)
	}
	if d := cmp.Diff(want, readRedis(t, plainClient(t, replica)).kept(), cmp.AllowUnexported(plainRedis{})); d != "" {
		t.Errorf("(-want +got):\n%s\n%s", shortened(d), &run.stderr)
	}
}
