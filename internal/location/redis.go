package location

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
)

var redisScheme = SourceScheme{
	Scheme:    Scheme{Schemes: []string{"redis", "rediss", "unix"}, Forms: []string{"redis://", "rediss:// (TLS)", "unix://"}, Check: checkRedis, Awaited: awaitedRedis},
	Open:      openRedis,
	OpenStore: openRedisStore,
	OpenLive:  openRedisLive,
	Explain:   explainRedis,
}

const redisForm = "redis://USER:PASSWORD@HOST:PORT/N"

func checkRedis(at Location) error {
	_, err := parseURI(at, redisForm)
	return err
}

// redisSource is an open Redis.
type redisSource struct {
	*redis.Store
	request layout.Request
}

func openRedis(ctx context.Context, o SourceOptions) (Source, error) {
	users, keys, byUser := o.Request.Named()
	byUser = byUser && len(users)+len(keys) <= mostPointUsers
	store, err := redis.Open(ctx, redis.Options{
		URI: o.URI, Timeout: o.Timeout, IPv6: o.IPv6, TLS: o.TLS,
		RetryFor: o.RetryFor, AllowShrinking: o.AllowShrinking, Notify: o.Notify, Points: byUser,
		MaxRate: o.MaxRate, Replica: o.Replica,
	})
	if err != nil {
		return nil, explainRedis(err, o)
	}
	source := redisSource{store, o.Request}
	if byUser {
		return redisUsers{source}, nil
	}
	return source, nil
}

// redisLive is an open Redis whose changes are followed.
type redisLive struct {
	redisSource
	at SourceOptions
}

func openRedisLive(ctx context.Context, o SourceOptions) (Live, error) {
	store, err := redis.Open(ctx, redis.Options{
		URI: o.URI, Timeout: o.Timeout, IPv6: o.IPv6, TLS: o.TLS, RetryFor: o.RetryFor, Notify: o.Notify, Points: true,
	})
	if err != nil {
		return nil, explainRedis(err, o)
	}
	return redisLive{redisSource{store, o.Request}, o}, nil
}

// Follow implements [Live].
func (s redisLive) Follow(ctx context.Context, way record.FeedWay) (record.Feed, error) {
	feed, err := s.Feed(ctx, redis.FeedOptions{Kinds: s.request.Kinds, Way: way})
	if err != nil {
		return nil, explainRedis(err, s.at)
	}
	return feed, nil
}

// PointsWith implements [Live].
func (s redisLive) PointsWith(keys map[record.UserID][]string) record.PointReader {
	request := s.request
	request.Now = time.Time{} // the dates of what comes later are judged by their own time
	return s.Points(redis.SourceOptions{Request: request, Candidates: keys, IgnoreTTL: true})
}

// mostPointUsers is of how many users the keys are looked up; where there are more, every key is looked at.
const mostPointUsers = 10_000

// redisUsers is an open Redis of which the keys of named users alone are looked up.
type redisUsers struct{ redisSource }

// Facts implements [Source].
func (s redisUsers) Facts() SourceFacts {
	facts := s.redisSource.Facts()
	facts.ByUser = true
	return facts
}

// Reading implements [Source].
func (s redisUsers) Reading() record.Source { return s.ReadingWith(nil) }

// Remarks implements [Source].
func (s redisUsers) Remarks() []string {
	list := s.redisSource.Remarks()
	if n := s.Keyless(); n > 0 {
		have := "have"
		if n == 1 {
			have = "has"
		}
		text := "%s of the named users %s no current API key that authenticates; where an api_key: entry names one of them all the same, " +
			"only a run without --user finds it"
		if s.request.Selection != nil {
			text = "%s of the users %s no current API key that authenticates: of theirs only the api_key: entries in the rejects file were " +
				"looked at; a migration of all users looks at every one"
		}
		list = append(list, fmt.Sprintf(text, ui.Thousands(int64(n)), have))
	}
	return list
}

// ReadingWith implements [ByUser].
func (s redisUsers) ReadingWith(keys map[record.UserID][]string) record.Source {
	return s.Source(redis.SourceOptions{Request: s.request, Points: true, Candidates: keys})
}

// HasUsers implements [ByUser].
func (s redisUsers) HasUsers(ctx context.Context) (bool, error) {
	users, _, _ := s.request.Named()
	return s.Store.HasUsers(ctx, users)
}

// Scan implements [ByUser].
func (s redisUsers) Scan() record.Source { return s.redisSource.Reading() }

// Facts implements [Source].
func (s redisSource) Facts() SourceFacts {
	info := s.Info()
	return SourceFacts{
		Is: describeRedis(info), Warnings: redisWarnings(info),
		Where: fmt.Sprintf("db %d", info.DB), Others: "redis://HOST:PORT/N names database N", Expires: info.Expires,
	}
}

// Reading implements [Source].
func (s redisSource) Reading() record.Source {
	return s.Source(redis.SourceOptions{Request: s.request})
}

// explainRedis gives an error of a Redis its exit code and the next step.
func explainRedis(err error, at SourceOptions) error {
	from := at.From
	if own, ok := errors.AsType[*redis.Error](err); ok {
		if hint := redisTLSWords.Hint(own, from, time.Now()); hint != "" {
			return exit.Failure(err, hint)
		}
	}
	if refused, ok := errors.AsType[*redis.WayError](err); ok {
		return exit.Failure(err, refused.Hint+"; or leave --changes out, for the best way that the server allows")
	}
	user, login := at.login(err)
	switch {
	case errors.Is(err, redis.ErrTLSFile):
		return exit.Failure(err, "check the files that --redis-ca, --redis-cert and --redis-key name, or REDIS_CA, REDIS_CERT and REDIS_KEY")
	case errors.Is(err, redis.ErrURI):
		text := err.Error()
		if own, ok := errors.AsType[*redis.Error](err); ok && own.Addr == "" {
			text = own.Detail
		}
		return exit.WrongUse(from+": "+text, "the form is "+redisForm+"; a Sentinel has ?master_name=NAME after it, and a Cluster ?addr=HOST:PORT")
	case errors.Is(err, redis.ErrNoHost):
		return exit.Failure(err, unknownHost(from))
	case errors.Is(err, redis.ErrUnreachable):
		return exit.Failure(err, fmt.Sprintf("is the server running, and is %s right? (waited at most %s; --timeout waits longer)", from, at.Timeout))
	case errors.Is(err, redis.ErrAuth):
		return exit.Failure(err, "check the user and the password in "+from+": "+login)
	case errors.Is(err, redis.ErrNoPassword):
		return exit.Failure(err, "name a password in "+from+": "+login)
	case errors.Is(err, redis.ErrLoading):
		return exit.Failure(err, "wait until it has loaded its data, then run the same command again")
	case errors.Is(err, redis.ErrPermission):
		right := redis.RefusedCommand(err)
		if right == "publish" {
			right += " &" + layout.Channel
		}
		return exit.Failure(err, fmt.Sprintf("let the user run it: ACL SETUSER %s +%s (docs/migrate.md lists all that is needed)", user, right))
	case errors.Is(err, redis.ErrKeys):
		return exit.Failure(err, fmt.Sprintf("let the user access Lanyard's keys: ACL SETUSER %s ~%s", user, strings.Join(append(layout.Patterns(), layout.CountersNote), " ~")))
	case errors.Is(err, redis.ErrCommand):
		return exit.Failure(err, fmt.Sprintf("is %s renamed or switched off (rename-command)? Let it be known again, or read a dump (--redis rdb:FILE)",
			strings.ToUpper(redis.RefusedCommand(err))))
	case errors.Is(err, redis.ErrDatabase):
		return exit.Failure(err, "name another in "+from+" (redis://HOST:PORT/N): most servers have 0 to 15, and CONFIG GET databases says how many there are")
	case errors.Is(err, redis.ErrSlots):
		return exit.Failure(err, "bring the Cluster in order (redis-cli --cluster check HOST:PORT), then run the same command again")
	case errors.Is(err, redis.ErrMasterDown):
		return exit.Failure(err, "bring its master back, or name another server, then run the same command again; replica-serve-stale-data yes lets a replica answer without its master")
	case errors.Is(err, redis.ErrReadOnly):
		return exit.Failure(err, "name its master in "+from+" (INFO replication says which it is), or make it the master")
	case errors.Is(err, redis.ErrMemory):
		return exit.Failure(err, "give it more memory (CONFIG SET maxmemory BYTES)")
	case errors.Is(err, redis.ErrDisk):
		return exit.Failure(err, "see in its log why it cannot write, such as a full disk (INFO persistence)")
	case errors.Is(err, redis.ErrReplicas):
		return exit.Failure(err, "bring its replicas back (INFO replication)")
	case errors.Is(err, redis.ErrMaxClients):
		return exit.Failure(err, "close other clients, or raise maxclients (CONFIG SET maxclients N), then run the same command again")
	case errors.Is(err, redis.ErrProtected):
		return exit.Failure(err, "give the server a password and name it in "+from+", or run this on the server's machine")
	case errors.Is(err, redis.ErrNoReplica):
		return exit.Failure(err, "leave --redis-replica out, or give it one (INFO replication on the master says which it has, and whether they are online)")
	case errors.Is(err, redis.ErrNoSentinel):
		return exit.Failure(err, "name a Sentinel in "+from+" (most often at port 26379), or leave master_name= out")
	case errors.Is(err, redis.ErrNoCluster):
		return exit.Failure(err, "name the nodes of a Cluster in "+from+", or leave addr= out")
	case errors.Is(err, redis.ErrSentinel):
		return exit.Failure(err, "write redis://SENTINEL:26379?master_name=NAME")
	case errors.Is(err, redis.ErrShrank):
		return exit.Failure(err, "find out what removes keys (DEL, UNLINK, RENAME, maxmemory-policy), then run the same command again; if that is intended, --allow-shrinking continues anyway")
	case errors.Is(err, record.ErrSourceMoved):
		return exit.Failure(err, "see that Redis holds all its data, then run the same command again: it starts from the beginning")
	case errors.Is(err, record.ErrUnavailable):
		return exit.Failure(err, "does the server run, and can it be reached? Then run the same command again; --retry-for waits longer")
	case errors.Is(err, redis.ErrNotRedis):
		return exit.Failure(err, "check the scheme and the port in "+from+": rediss:// is with TLS, redis:// without")
	}
	return err
}

// describeRedis says what the server is: "Redis 7.0.15, master, db 0, 1,234 keys".
func describeRedis(i redis.Info) string {
	parts := []string{i.Server + " " + i.Version}
	switch {
	case i.Mode == redis.Cluster && i.Replica():
		parts = append(parts, fmt.Sprintf("%s of a cluster", ui.Plural(int64(len(i.Nodes)), "replica")))
	case i.Mode == redis.Cluster:
		parts = append(parts, fmt.Sprintf("cluster of %s", ui.Plural(int64(len(i.Nodes)), "master")))
	case i.Replica():
		parts = append(parts, "replica")
	default:
		parts = append(parts, "master")
	}
	if i.Mode == redis.Sentinel {
		parts = append(parts, "found by Sentinel")
	}
	parts = append(parts, fmt.Sprintf("db %d", i.DB), ui.Plural(i.Keys, "key"))
	return strings.Join(parts, ", ")
}

// redisWarnings says what a person should know of the source.
func redisWarnings(i redis.Info) []string {
	var list []string
	switch {
	case i.Replica() && i.Mode == redis.Cluster:
		list = append(list, "the source is replicas of the Cluster's masters, which may lag behind them")
	case i.Replica():
		list = append(list, "the source is a replica, which may lag behind its master")
	}
	for _, n := range i.Nodes {
		add := func(format string, args ...any) {
			list = append(list, "Redis "+n.Addr+" "+fmt.Sprintf(format, args...))
		}
		if n.LinkDown > 0 {
			add("has been without its master for %s: what that one has since is missing", n.LinkDown)
		}
		if n.Evicts != "" {
			add("removes keys when its memory is full (maxmemory-policy %s; %s so far): what it removes is lost", n.Evicts, ui.Thousands(n.Evicted))
		}
		if n.Unsaved {
			add("keeps nothing on disk (neither save nor appendonly): a restart would lose everything that it holds")
		}
		if n.Skew.Abs() > mostSkew {
			add("has a clock that is %s %s this machine's: is this machine's clock right? Dates are judged by it", n.Skew.Abs().Round(time.Second), ahead(n.Skew))
		}
	}
	return list
}

// mostSkew is by how much the clocks of two machines may differ before somebody is told.
const mostSkew = time.Minute

func ahead(skew time.Duration) string {
	if skew > 0 {
		return "ahead of"
	}
	return "behind"
}

// login returns the user whom the server that err is of knows, and how the URI names a user. A Sentinel and the server
// that it names have users of their own.
func (o SourceOptions) login(err error) (user, form string) {
	u, parseErr := url.Parse(o.URI)
	if parseErr != nil {
		return "default", redisForm
	}
	user, form = u.User.Username(), "redis://:PASSWORD@HOST:PORT, or "+redisForm
	if u.Query().Has("master_name") {
		form = "the Sentinel's stand before the @"
		if failed, ok := errors.AsType[*redis.Error](err); !ok || !failed.Sentinel {
			user, form = u.Query().Get("username"), "username= and password= are the server's, and what stands before the @ the Sentinel's"
		}
	}
	return cmp.Or(user, "default"), form
}
