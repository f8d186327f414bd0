package redis_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	diff "github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/certs"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// reads are the rights of a user that reads, without those for a feed.
var reads = []any{"+info", "+scan", "+exists", "+getrange", "+strlen", "+hgetall", "+hlen", "+hscan", "+type", "+pttl"}

func TestAFeedTakesTheBestWayThatTheServerAllows(t *testing.T) {
	t.Parallel()
	const (
		tracking   = "the user may not run CLIENT TRACKING (ACL SETUSER reader +client|tracking)"
		noConfig   = "the user may not run CONFIG GET, so that nobody knows whether keyspace notifications are on (ACL SETUSER reader +config|get)"
		noChannels = "the user may not listen to keyspace notifications (ACL SETUSER reader +psubscribe allchannels)"
		later      = " (Redis 6 and later know it, unless it is renamed or a proxy is in between)"
		unknown    = "the server refuses %s: ERR unknown command"
	)
	both := func(a, b string) string { return a + "; " + b }
	off := func(setting, all string) string {
		return fmt.Sprintf("notify-keyspace-events is %q (CONFIG SET notify-keyspace-events '%s')", setting, all)
	}
	var channels []any
	for _, prefix := range layout.Prefixes(record.LanyardKinds) {
		channels = append(channels, "&__keyspace@0__:"+prefix+"*")
	}
	words := func(words ...any) []any { return words }
	for name, tc := range map[string]struct {
		server []string
		rights []any
		way    record.FeedWay
		why    string
	}{
		"the least rights to track":        {nil, words("+ping", "+client|tracking"), record.Tracking, ""},
		"without a right to ping":          {nil, words("+client|tracking"), record.Tracking, ""},
		"with those to be limited as well": {nil, words("+ping", "+client|tracking", "+subscribe", "&lanyardctl:quiet"), record.Tracking, ""},
		"the least rights to be notified":  {flags("--notify-keyspace-events", "Kg$hxe"), append(words("+ping", "+config|get", "+psubscribe"), channels...), record.Notifications, tracking},
		"all rights but to track":          {flags("--notify-keyspace-events", "AK"), words("+@all", "-client|tracking", "&*"), record.Notifications, tracking},
		"notifications are off":            {nil, words("+@all", "-client|tracking"), record.Polling, both(tracking, off("", "Kg$hxe"))},
		"some are off":                     {flags("--notify-keyspace-events", "Eg$hx"), words("+@all", "-client|tracking"), record.Polling, both(tracking, off("g$hxE", "g$hxEKe"))},
		"those by key are off":             {flags("--notify-keyspace-events", "EA"), words("+@all", "-client|tracking"), record.Polling, both(tracking, off("AE", "AEK"))},
		"no right to ask whether they are": {flags("--notify-keyspace-events", "KA"), words("+psubscribe", "&*"), record.Polling, both(tracking, noConfig)},
		"no right to be notified":          {flags("--notify-keyspace-events", "KA"), words("+config|get", "&*"), record.Polling, both(tracking, noChannels)},
		"no channels":                      {flags("--notify-keyspace-events", "KA"), words("+@all", "-client|tracking", "resetchannels", "&other"), record.Polling, both(tracking, noChannels)},
		"an old server": {flags("--notify-keyspace-events", "KA", "--rename-command", "HELLO", ""), words("+@all", "&*"), record.Notifications,
			fmt.Sprintf(unknown, "HELLO") + " 'hello'" + later},
		"a server of somebody else": {flags("--rename-command", "CLIENT", "", "--rename-command", "CONFIG", ""), words("+@all", "&*"), record.Polling,
			both(fmt.Sprintf(unknown, "CLIENT TRACKING")+" 'client'"+later, "the server does not say whether keyspace notifications are on (it has to know CONFIG GET notify-keyspace-events)")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := redisserver.Start(t, tc.server...)
			srv.Do(slices.Concat([]any{"ACL", "SETUSER", "reader", "on", ">" + password, "~*", "resetchannels", "-@all"}, reads, tc.rights)...)
			s := open(t, redis.Options{URI: "redis://reader:" + password + "@" + srv.Addr})
			f := follow(t, s, redis.FeedOptions{})
			way, why := f.feed.Way()
			if d := diff.Diff([]string{string(tc.way), tc.why}, []string{string(way), why}); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			fill(t, client(t, srv.URI), cmd("HSET", "lanyard_kv:"+alice, "a", 1))
			want := []string{"kv " + alice}
			if way == record.Polling {
				want = nil
			}
			if d := diff.Diff(want, f.told(t)); d != "" {
				t.Errorf("-want +told:\n%s", d)
			}
			// What was refused is an error where it is asked for.
			for forced, reason := range map[record.FeedWay]error{record.Tracking: redis.ErrNoTracking, record.Notifications: redis.ErrNoNotifications} {
				feed, err := s.Feed(context.Background(), redis.FeedOptions{Way: forced})
				refused, is := errors.AsType[*redis.WayError](err)
				switch allowed := way == forced || way == record.Tracking && strings.Contains(fmt.Sprint(tc.rights), "psubscribe"); {
				case err == nil:
					if is, why := feed.Way(); is != forced || why != "" {
						t.Errorf("%s, asked for: %s, since %s", forced, is, why)
					}
					if err := feed.Close(); err != nil {
						t.Error(err)
					}
					if !allowed {
						t.Errorf("%s can be had", forced)
					}
				case !is, allowed, !errors.Is(err, reason):
					t.Errorf("%s: %v", forced, err)
				case way == record.Polling && !strings.Contains(tc.why, refused.Detail+" ("+refused.Hint+")"):
					t.Errorf("%s: %s (%s)", forced, refused.Detail, refused.Hint)
				}
			}
			feed, err := s.Feed(context.Background(), redis.FeedOptions{Way: record.Polling})
			if err != nil {
				t.Fatal(err)
			}
			if way, why := feed.Way(); way != record.Polling || why != "" {
				t.Errorf("%s, since %s", way, why)
			}
		})
	}
}

func flags(words ...string) []string { return words }

func TestAWrongPasswordIsNoReasonToPoll(t *testing.T) {
	t.Parallel()
	srv := redisserver.Start(t, "--requirepass", password)
	s := open(t, redis.Options{URI: srv.URI})
	srv.Do("CONFIG", "SET", "requirepass", "another")
	if feed, err := s.Feed(context.Background(), redis.FeedOptions{}); !errors.Is(err, redis.ErrAuth) {
		t.Errorf("%v, %v", feed, err)
	}
}

func TestARightThatIsTakenAwayIsNoGap(t *testing.T) {
	t.Parallel()
	srv := redisserver.Start(t)
	srv.Do("ACL", "SETUSER", "reader", "on", ">"+password, "~*", "+@all", "&*")
	f := follow(t, open(t, redis.Options{URI: "redis://reader:" + password + "@" + srv.Addr}), redis.FeedOptions{})
	srv.Do("ACL", "SETUSER", "reader", "-info")
	if err := f.end(t, busy); !errors.Is(err, redis.ErrPermission) || errors.Is(err, redis.ErrFeedEnded) || errors.Is(err, record.ErrUnavailable) {
		t.Error(err)
	}
}

func TestNotificationsThatAreSwitchedOffEndTheFeed(t *testing.T) {
	t.Parallel()
	srv := redisserver.Start(t, "--notify-keyspace-events", "KA")
	f := follow(t, open(t, redis.Options{URI: srv.URI}), redis.FeedOptions{Way: record.Notifications})
	srv.Do("CONFIG", "SET", "notify-keyspace-events", "Kg")
	f.ends(t, "keyspace notifications were switched off")
}

func TestAFeedIsConnectedAsReadsAre(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	local := redisserver.Start(t, "--unixsocket", path, "--notify-keyspace-events", "KA")
	ca := certs.NewCA(t, "the CA")
	secure, port := withTLS(t, ca, ca.Sign([]string{"127.0.0.1"}), "yes", "--requirepass", password, "--notify-keyspace-events", "KA")
	mine := ca.Sign(nil)
	for _, tc := range []struct {
		o      redis.Options
		writes string // a URI
	}{
		{redis.Options{URI: "unix://" + path + "?db=3"}, local.URI + "/3"},
		{redis.Options{URI: "rediss://:" + password + "@127.0.0.1:" + port, TLS: redis.TLS{CA: ca.File, Cert: mine.Cert, Key: mine.Key}}, secure.URI},
	} {
		for _, way := range []record.FeedWay{record.Tracking, record.Notifications} {
			f := follow(t, open(t, tc.o), redis.FeedOptions{Way: way})
			fill(t, client(t, tc.writes), cmd("HSET", "lanyard_kv:"+alice, "a", 1))
			if d := diff.Diff([]string{"kv " + alice}, f.told(t)); d != "" {
				t.Errorf("%s, %s: -want +told:\n%s", tc.writes, way, d)
			}
		}
	}
}
