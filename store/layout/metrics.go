package layout

import (
	"slices"
	"unicode/utf8"

	"github.com/lanyardctl/lanyardctl/record"
)

// Metrics makes the record of the counters. It reports false where the key does not exist.
func Metrics(f Found) (record.Item, bool) {
	if !f.Exists() {
		return record.Item{}, false
	}
	it := record.Item{Kind: record.Metrics}
	if reject, ok := f.unusable(record.Metrics, 0); ok {
		it.Rejects = []record.Reject{reject}
	}
	fields := make(map[string]record.Field, len(f.Hash))
	for name, raw := range f.Hash {
		origin := record.Origin{Key: f.Key, Raw: raw}
		v, reason, detail := counter(name, raw)
		if reason != "" {
			reject := record.Reject{Kind: record.Metrics, Reason: reason, Detail: detail}
			it.Rejects = append(it.Rejects, reject.At(name, origin))
			continue
		}
		fields[name] = record.Field{Value: v, Origin: origin}
	}
	slices.SortFunc(it.Rejects, compareRejects)
	if len(fields) > 0 {
		it.Record = &record.Record{Kind: record.Metrics, Fields: fields}
	}
	it.Notes = expiring(nil, f)
	return it, true
}

func counter(name, raw string) (record.Value, record.Reason, string) {
	if !utf8.ValidString(name) {
		return nil, record.InvalidFieldName, "the name is not valid UTF-8"
	}
	return record.Counter(name, raw)
}
