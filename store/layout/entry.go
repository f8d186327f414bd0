package layout

import (
	"strconv"

	"github.com/lanyardctl/lanyardctl/record"
)

// Channel is the pub/sub channel on which running Lanyards tell each other of changes.
const Channel = "lanyard:global_sync"

// CountersNote is the key of what lanyardctl notes beside the counters. In a Cluster it is where they are.
const CountersNote = "lanyardctl:{lanyard:metrics_v1}"

// Apps returns which apps read keys of the layout.
func (l Layout) Apps() record.Apps {
	switch l {
	case UpstreamKV, UpstreamLastSeen, UserAPIKey, APIKey:
		return record.Apps(0).With(record.Upstream)
	case ForkKV, ForkLastSeen, ForkMonitoringSince, OlderMonitoringSince, OldestMonitoringSince, Counters:
		return record.Apps(0).With(record.Fork)
	}
	return 0
}

// OfKind returns the layouts of the kind in the order in which the apps read them. Of API keys it is [UserAPIKey] alone.
func OfKind(kind record.Kind) []Layout {
	switch kind {
	case record.KV:
		return kvFamily
	case record.LastSeen:
		return lastSeenFamily
	case record.MonitoringSince:
		return monitoringFamily
	case record.APIKeys:
		return []Layout{UserAPIKey}
	case record.Metrics:
		return []Layout{Counters}
	}
	return nil
}

// Place names a key for people. An API key, which is a secret, is shown by its fingerprint.
func Place(key string) string {
	if l, id := Classify(key); l == APIKey {
		return l.Key(record.Fingerprint(id))
	}
	return key
}

// Entry returns what the key says by itself, as an app's persistence layer reads it. It reports false where the key holds
// nothing, or is another application's. Whether an API key authenticates is left to the caller.
func (f Found) Entry() (record.Entry, bool) {
	e := record.Entry{Place: Place(f.Key), Apps: f.Layout.Apps(), TextOnly: f.Layout == UpstreamKV}
	if !f.Exists() || f.Foreign() {
		return e, false
	}
	switch f.State {
	case WrongType:
		e.Fault = f.wrongType()
		return e, true
	case TooLarge:
		e.Fault = "the value is larger than 32 MiB"
		return e, true
	}
	switch kind, _ := f.Layout.Kind(); kind.Shape() {
	case record.FieldsShape:
		e.Fields, e.Unreadable = f.values()
	case record.TimeShape:
		// What Elixir's String.to_integer takes, within 64 bits.
		if n, err := strconv.ParseInt(f.Text, 10, 64); err == nil {
			e.Time = n
		} else {
			e.Time, e.Fault = f.Text, "the text is no integer"
		}
	case record.TextShape:
		e.APIKey = f.Text
		if e.APIKey == "" {
			e.Fault = "the key is empty"
		}
	}
	return e, true
}

// values returns the values of a hash, and by the names of the others why they cannot be read.
func (f Found) values() (fields map[string]record.Value, unreadable map[string]string) {
	fields = make(map[string]record.Value, len(f.Hash))
	for name := range f.Hash {
		v, detail := f.value(name)
		if detail == "" {
			fields[name] = v
			continue
		}
		if unreadable == nil {
			unreadable = make(map[string]string)
		}
		unreadable[name] = detail
	}
	return fields, unreadable
}

func (f Found) value(name string) (record.Value, string) {
	if f.Layout == Counters {
		v, _, detail := counter(name, f.Hash[name])
		return v, detail
	}
	v, _, _, detail := kvValue(f.Layout, name, f.Hash[name])
	return v, detail
}
