package mem

import (
	"maps"

	"github.com/lanyardctl/lanyardctl/record"
)

// Joined implements [record.Documents].
func (s *Documents) Joined(j record.Join) record.Step {
	doc := map[string]any{"_id": j.User.String()}
	step := record.Step{Collection: j.Collection}
	if j.OtherID {
		doc["_id"] = "other than " + j.User.String()
	}
	if len(j.Documents) > 0 {
		step.Before = j.Documents[0].Raw
		doc = decode(step.Before)
		for _, other := range j.Documents[1:] {
			for name, v := range decode(other.Raw) {
				if _, exists := doc[name]; !exists {
					doc[name] = v
				}
			}
		}
	}
	doc["user_id"] = j.User.String()
	d := j.Decision
	switch j.Collection {
	case record.MonitoringCollection:
		if d.Write {
			setTime(doc, record.TimeField(record.MonitoringSince), d.Time)
		}
	case record.LastSeenCollection:
		if d.Write {
			setTime(doc, record.TimeField(record.LastSeen), d.Time)
		}
	case record.KVCollection:
		if len(d.Set) > 0 {
			kv, _ := doc["kv"].(map[string]any)
			kv = maps.Clone(kv)
			if kv == nil {
				kv = make(map[string]any)
			}
			for name, v := range d.Set {
				kv[name] = v
			}
			doc["kv"] = kv
			delete(doc, record.WrittenField)
		}
	case record.APIKeysCollection:
		if d.APIKey != "" && doc["key"] != d.APIKey {
			doc["key"] = d.APIKey
			delete(doc, record.WrittenField)
		}
	}
	step.ID, step.After = idOf(doc["_id"]), encode(doc)
	return step
}

// setTime sets a time, unless the integer that stands has its value.
func setTime(doc map[string]any, field string, t int64) {
	if stands, ok := moment(doc[field]).(int64); !ok || stands != t {
		doc[field] = t
	}
}
