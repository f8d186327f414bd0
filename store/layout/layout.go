package layout

import (
	"strings"

	"github.com/lanyardctl/lanyardctl/record"
)

// Layout is a form in which some version of Lanyard keeps something in Redis.
type Layout uint8

// The layouts. <uid> is a user id.
const (
	Other                 Layout = iota // nobody's that we know
	ForkKV                              // lanyard:user_kv:<uid>, hash: field → JSON text
	UpstreamKV                          // lanyard_kv:<uid>, hash: field → raw text
	ForkLastSeen                        // lanyard:user_last_seen:<uid>, string: Unix milliseconds
	UpstreamLastSeen                    // lanyard_last_seen:<uid>, string: Unix milliseconds
	ForkMonitoringSince                 // lanyard:user_monitoring_since:<uid>, string: Unix seconds
	OlderMonitoringSince                // user_monitoring_since:<uid>, the same; generic
	OldestMonitoringSince               // monitoring:<uid>, the same; generic
	UserAPIKey                          // user_api_key:<uid>, string: the user's current API key
	APIKey                              // api_key:<key>, string: uid; generic
	Counters                            // lanyard:metrics_v1, hash: counter → number as text
	Analytics                           // lanyard_analytics:…, of a feature that was removed in 2024
)

// A layout's key is its prefix and an id; that of Counters is the prefix alone.
var prefixes = [...]string{
	ForkKV:                "lanyard:user_kv:",
	UpstreamKV:            "lanyard_kv:",
	ForkLastSeen:          "lanyard:user_last_seen:",
	UpstreamLastSeen:      "lanyard_last_seen:",
	ForkMonitoringSince:   "lanyard:user_monitoring_since:",
	OlderMonitoringSince:  "user_monitoring_since:",
	OldestMonitoringSince: "monitoring:",
	UserAPIKey:            "user_api_key:",
	APIKey:                "api_key:",
	Counters:              "lanyard:metrics_v1",
	Analytics:             "lanyard_analytics:",
}

// Patterns returns a glob pattern for each layout's keys.
func Patterns() []string {
	var list []string
	for l, prefix := range prefixes {
		if _, known := Layout(l).Kind(); known && Layout(l) != Counters {
			prefix += "*"
		}
		if prefix != "" && Layout(l) != Analytics {
			list = append(list, prefix)
		}
	}
	return list
}

// Prefixes returns what the keys of the kinds begin with. None of them begins with another: a server that is asked to tell
// of keys by their beginnings refuses that.
func Prefixes(kinds record.Kinds) []string {
	var list []string
	for l, prefix := range prefixes {
		if kind, known := Layout(l).Kind(); known && kinds.Has(kind) {
			list = append(list, prefix)
		}
	}
	return list
}

// Classify returns the layout of a Redis key and the text after its prefix: a user id where the layout has one (not
// checked, see [record.ParseUserID]), for APIKey the API key itself, which is a secret.
func Classify(key string) (Layout, string) {
	if key == "" {
		return Other, ""
	}
	// The first byte leaves few prefixes to compare.
	switch key[0] {
	case 'l':
		if key == prefixes[Counters] {
			return Counters, ""
		}
		return among(key, UpstreamKV, ForkKV, UpstreamLastSeen, ForkLastSeen, ForkMonitoringSince, Analytics)
	case 'u':
		return among(key, UserAPIKey, OlderMonitoringSince)
	case 'a':
		return among(key, APIKey)
	case 'm':
		return among(key, OldestMonitoringSince)
	}
	return Other, ""
}

func among(key string, layouts ...Layout) (Layout, string) {
	for _, l := range layouts {
		if id, ok := strings.CutPrefix(key, prefixes[l]); ok {
			return l, id
		}
	}
	return Other, ""
}

// Key returns the Redis key of the layout with the id. It must not be called for Other.
func (l Layout) Key(id string) string { return prefixes[l] + id }

// Kind returns the kind of what the layout keeps; it reports false for Other and Analytics.
func (l Layout) Kind() (record.Kind, bool) {
	switch l {
	case ForkKV, UpstreamKV:
		return record.KV, true
	case ForkLastSeen, UpstreamLastSeen:
		return record.LastSeen, true
	case ForkMonitoringSince, OlderMonitoringSince, OldestMonitoringSince:
		return record.MonitoringSince, true
	case UserAPIKey, APIKey:
		return record.APIKeys, true
	case Counters:
		return record.Metrics, true
	}
	return 0, false
}

// Generic reports whether another application may use the layout's prefix as well.
func (l Layout) Generic() bool {
	return l == APIKey || l == OlderMonitoringSince || l == OldestMonitoringSince
}

// IsHash reports whether the layout's keys are hashes; else they are strings.
func (l Layout) IsHash() bool { return l == ForkKV || l == UpstreamKV || l == Counters }

// HasUser reports whether the layout's key ends in a user id.
func (l Layout) HasUser() bool {
	switch l {
	case Other, Analytics, Counters, APIKey:
		return false
	}
	return true
}

var (
	kvFamily         = []Layout{ForkKV, UpstreamKV}
	lastSeenFamily   = []Layout{ForkLastSeen, UpstreamLastSeen}
	monitoringFamily = []Layout{ForkMonitoringSince, OlderMonitoringSince, OldestMonitoringSince}
)

// OfUsers returns the layouts of the kinds whose keys end in a user id: all keys that can be named of a user whose API
// key is not known.
func OfUsers(kinds record.Kinds) []Layout {
	var list []Layout
	for l := range Layout(len(prefixes)) {
		if kind, known := l.Kind(); known && l.HasUser() && kinds.Has(kind) {
			list = append(list, l)
		}
	}
	return list
}

// Family returns the layouts that keep the same as l, l among them, in the order in which the first that exists
// delivers the record. It is empty for API keys, which [Pair] pairs, and for layouts without a kind. The caller must
// not change it.
func (l Layout) Family() []Layout {
	kind, known := l.Kind()
	if !known || kind == record.APIKeys || kind == record.Metrics {
		return nil
	}
	return OfKind(kind)
}
