package location

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/rdb"
	"github.com/lanyardctl/lanyardctl/store/redis"
)

func TestDoubtfulSourcesAreNamed(t *testing.T) {
	node := func(n redis.NodeInfo) redis.Info {
		n.Addr = "10.0.0.7:6379"
		return redis.Info{Nodes: []redis.NodeInfo{n}}
	}
	for _, tc := range []struct {
		info redis.Info
		want string // nothing: no warning
	}{
		{node(redis.NodeInfo{}), ""},
		{node(redis.NodeInfo{Replica: true}), "the source is a replica, which may lag behind its master"},
		{node(redis.NodeInfo{LinkDown: 12 * time.Second}), "Redis 10.0.0.7:6379 has been without its master for 12s: what that one has since is missing"},
		{node(redis.NodeInfo{Evicts: "allkeys-lru", Evicted: 1234}), "Redis 10.0.0.7:6379 removes keys when its memory is full (maxmemory-policy allkeys-lru; 1,234 so far): what it removes is lost"},
		{node(redis.NodeInfo{Unsaved: true}), "Redis 10.0.0.7:6379 keeps nothing on disk (neither save nor appendonly): a restart would lose everything that it holds"},
		{node(redis.NodeInfo{Skew: 59 * time.Second}), ""},
		{node(redis.NodeInfo{Skew: 5*time.Minute + time.Millisecond}), "Redis 10.0.0.7:6379 has a clock that is 5m0s ahead of this machine's: is this machine's clock right? Dates are judged by it"},
		{node(redis.NodeInfo{Skew: -time.Hour}), "Redis 10.0.0.7:6379 has a clock that is 1h0m0s behind this machine's: is this machine's clock right? Dates are judged by it"},
	} {
		if got := strings.Join(redisWarnings(tc.info), "\n"); got != tc.want {
			t.Errorf("%+v: %q", tc.info, got)
		}
	}
}

func TestWhatToDoIsToldWhereAServerTakesNoWrites(t *testing.T) {
	for reason, want := range map[error]string{
		redis.ErrReadOnly: "name its master in REDIS_URI", redis.ErrMemory: "give it more memory",
		redis.ErrDisk: "see in its log why it cannot write", redis.ErrReplicas: "bring its replicas back",
	} {
		err := explainRedis(&redis.Error{Addr: "10.0.0.7:6379", Reason: reason}, SourceOptions{Location: Location{From: "REDIS_URI"}})
		if known, ok := errors.AsType[*exit.Error](err); !ok || !strings.HasPrefix(known.Hint, want) {
			t.Errorf("%v: %+v", reason, err)
		}
	}
}

func TestWhatToConfigureIsToldWhereAServerTellsOfNoChanges(t *testing.T) {
	refused := fmt.Errorf("follow redis 10.0.0.7:6379: %w", &redis.WayError{Reason: redis.ErrNoTracking, Detail: "it is old", Hint: "take another"})
	err := explainRedis(refused, SourceOptions{Location: Location{From: "REDIS_URI"}})
	want := "take another; or leave --changes out, for the best way that the server allows"
	if known, ok := errors.AsType[*exit.Error](err); !ok || known.Hint != want || !errors.Is(err, redis.ErrNoTracking) {
		t.Errorf("%+v", err)
	}
}

func TestWhatIsLeftAloneInADumpIsNamed(t *testing.T) {
	if list := rdbWarnings(rdb.Info{Checksum: true, Functions: 2}); len(list) != 1 || !strings.HasPrefix(list[0], "2 libraries of Redis functions") {
		t.Errorf("%q", list)
	}
}
