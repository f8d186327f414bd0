package location

import (
	"cmp"
	"net/url"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/internal/ui"
)

// AwaitedSource says what is done while the source at the location is opened: "waiting for Redis at HOST".
func (r Registry) AwaitedSource(at Location) string {
	s, _ := r.source(at)
	return awaited(s.Scheme, at)
}

// AwaitedTarget says what is done while the target at the location is opened; see [Registry.AwaitedSource].
func (r Registry) AwaitedTarget(at Location) string {
	t, _ := r.target(at)
	return awaited(t.Scheme, at)
}

// awaited also has words for a location that nothing opens.
func awaited(s Scheme, at Location) string {
	if s.Awaited == nil {
		return "waiting for " + at.Shown()
	}
	return ui.PrintableLine(s.Awaited(at))
}

func awaitedRedis(at Location) string {
	u, err := redact.Parse(at.Shown()) // without a password, whatever is made of it
	if err != nil {
		return "waiting for Redis at " + at.Shown()
	}
	query, _ := url.ParseQuery(u.Query)
	hosts := append([]string{cmp.Or(u.Hosts, "localhost")}, query["addr"]...)
	switch {
	case u.Scheme == "unix":
		return "waiting for Redis at " + u.Path
	case query.Has("master_name"):
		return "waiting for Sentinel at " + strings.Join(hosts, ", ")
	case query.Has("addr"):
		return "waiting for Redis Cluster at " + strings.Join(hosts, ", ")
	}
	return "waiting for Redis at " + hosts[0]
}

func awaitedMongo(at Location) string {
	u, err := redact.Parse(at.Shown())
	if err != nil {
		return "waiting for MongoDB at " + at.Shown()
	}
	return "waiting for MongoDB at " + strings.ReplaceAll(u.Hosts, ",", ", ")
}
