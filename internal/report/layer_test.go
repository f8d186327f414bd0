package report

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/golden"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
)

const (
	layerUser = record.UserID(94490510688792576)
	oldKey    = "0123456789abcdef0123456789abcdef"
	newKey    = "lnyd_fedcba9876543210fedcba9876543210"
)

// layerFacts are what the reports here begin and end with.
func layerFacts(command string) Layer {
	return Layer{
		App: record.Fork, Mode: persistence.Both, Redis: "redis://:xxxxx@r1:6379", Mongo: "mongodb://lanyard:xxxxx@db1:27017", Database: "lanyard",
		Now: goldenNow, Again: invocation.Invocation{Name: command + " " + layerUser.String()},
	}
}

func origin(store string, e record.Entry) persistence.Origin {
	return persistence.Origin{Store: store, Entry: e}
}

var (
	forkOnly = record.Apps(0).With(record.Fork)
	upstream = record.Apps(0).With(record.Upstream)
)

// manyPlaces is a user with something in every place.
func manyPlaces() Presence {
	pairs := map[string]record.Value{
		"bio": "<b>\u202eé\n", "n": int64(7), "whole": 2.0, "list": record.Array{"a", nil, true}, "id": record.Opaque{Type: 7, Data: []byte{1, 2}},
	}
	kv := origin("MongoDB", record.Entry{Place: "kv", Apps: forkOnly, Fields: pairs})
	seen := origin("MongoDB", record.Entry{Place: "last_seen.timestamp", Apps: forkOnly, Time: int64(1775185650007)})
	since := origin("Redis", record.Entry{Place: "monitoring:94490510688792576", Apps: forkOnly, Time: int64(1664641326)})
	return Presence{App: record.Fork, Explain: true, Presence: persistence.Presence{
		User: layerUser,
		KV: persistence.Answer{Kind: record.KV, Found: true, Fields: pairs, From: kv, All: []persistence.Origin{
			kv,
			origin("Redis", record.Entry{Place: "lanyard:user_kv:94490510688792576", Apps: forkOnly, Fields: map[string]record.Value{"n": int64(8)},
				Unreadable: map[string]string{"x": "not-json: it is no JSON"}}),
			origin("Redis", record.Entry{Place: "lanyard_kv:94490510688792576", Apps: upstream, TextOnly: true, Fault: "it is a list, and no hash"}),
		}},
		LastSeen: persistence.Answer{Kind: record.LastSeen, Found: true, Time: 1775185650007, From: seen, All: []persistence.Origin{
			seen,
			origin("Redis", record.Entry{Place: "lanyard:user_last_seen:94490510688792576", Apps: forkOnly, Time: int64(1775185650007)}),
			origin("Redis", record.Entry{Place: "lanyard_last_seen:94490510688792576", Apps: upstream, Time: "never", Fault: "not-a-timestamp: no time"}),
		}},
		MonitoringSince: persistence.Answer{Kind: record.MonitoringSince, Found: true, Time: 1664641326, From: since, Index: 1, All: []persistence.Origin{
			origin("MongoDB", record.Entry{Place: "monitoring.since", Apps: forkOnly, Time: 1664641326.5, Fault: "a double, on which the app crashes"}),
			since,
		}},
	}}
}

func keyState() persistence.KeyState {
	current := origin("MongoDB", record.Entry{Place: "api_keys", Apps: forkOnly, APIKey: newKey, Authenticates: true})
	return persistence.KeyState{User: layerUser, Current: newKey, From: current, All: []persistence.Origin{
		current,
		origin("Redis", record.Entry{Place: "user_api_key:94490510688792576", Apps: upstream, APIKey: oldKey, Fault: "its api_key: is gone"}),
		origin("Redis", record.Entry{Place: "api_key:" + record.Fingerprint(oldKey), Apps: upstream, APIKey: oldKey, Authenticates: true}),
	}}
}

// layerReports are the reports of the persistence layer, by the names of their golden files.
func layerReports() map[string]Report {
	pairs := manyPlaces().KV
	before := map[string]record.Value{"location": "London", "old": int64(1)}
	after := map[string]record.Value{"location": "Paris", "bio": strings.Repeat("é", 70)}
	written := persistence.KVResult{User: layerUser, Before: before, After: after, Published: true, Listeners: 2, Changed: []persistence.Origin{
		origin("MongoDB", record.Entry{Place: "kv"}), origin("Redis", record.Entry{Place: "lanyard:user_kv:94490510688792576"}),
	}}
	unified := written
	unified.Before, unified.Changed = after, written.Changed[1:]
	unpublished := written
	unpublished.Published, unpublished.Listeners, unpublished.PublishErr = false, 0, persistence.ErrNoChannel
	partial := layerFacts(invocation.KVSet)
	partial.Exit, partial.Err = exit.Failed, &persistence.PartialError{New: []string{"MongoDB"}, Old: []string{"Redis"}, Err: errors.New("Redis: read-only")}
	failed := layerFacts(invocation.KVSet)
	failed.Exit, failed.Err = exit.Failed, errors.New("MongoDB cannot be reached")
	warned := layerFacts(invocation.KVList)
	warned.Warnings, warned.Exit = []string{"Redis is a replica, which may lag behind its master"}, exit.Rejects
	rotated := persistence.KeyChange{User: layerUser, Before: keyState(), Given: []string{"MongoDB"}, Revoked: []string{"MongoDB", "Redis"}}
	revoked := rotated
	revoked.Given = nil
	counted := persistence.Answer{Kind: record.Metrics, Found: true, Fields: map[string]record.Value{"lanyard_messages_inbound": int64(1234567), "lanyard_2xx_responses": 1.5}}
	counted.From = origin("MongoDB", record.Entry{Place: "metrics", Apps: forkOnly, Fields: counted.Fields})
	counted.All = []persistence.Origin{counted.From, origin("Redis", record.Entry{Place: "lanyard:metrics_v1", Apps: forkOnly,
		Fields:     map[string]record.Value{"lanyard_messages_inbound": 1e6, "lanyard_2xx_responses": 1.5, "an_own_counter": int64(7)},
		Unreadable: map[string]string{"lanyard_5xx_responses": "negative", "type": "the name is reserved for the document itself"}})}
	odd := layerFacts(invocation.MetricsShow)
	odd.Exit = exit.Rejects
	flushed := []persistence.Flushed{
		{Store: "MongoDB", Before: map[string]record.Value{"lanyard_messages_inbound": int64(100)}, After: map[string]record.Value{"lanyard_messages_inbound": int64(105), "lanyard_2xx_responses": int64(3)}},
		{Store: "Redis", Before: map[string]record.Value{"lanyard_messages_inbound": int64(90)}, After: map[string]record.Value{"lanyard_messages_inbound": int64(105), "lanyard_2xx_responses": int64(3)}},
	}
	once := Flush{Layer: layerFacts(invocation.MetricsFlush), URL: "http://xxxxx@lanyard:4001/metrics", Instance: "lanyard:4001", Scrapes: 1, Stores: flushed}
	dry, refused, every := once, once, once
	dry.DryRun = true
	refused.Exit, refused.Warnings = exit.Rejects, []string{"lanyard_5xx_responses is not flushed: it is negative"}
	refused.Refused, refused.Missing = map[string]string{"lanyard_5xx_responses": "it is negative"}, []string{"lanyard_4xx_responses", "lanyard_presence_updates"}
	every.Every, every.Scrapes, every.Failed, every.Exit, every.Err = time.Minute, 60, 2, exit.Failed, errors.New("scrape lanyard:4001: no answer in time")
	owner := record.KeyOwner{Place: "api_keys", Apps: forkOnly, User: layerUser}
	stray := record.KeyOwner{Place: "api_key:" + record.Fingerprint(oldKey), Apps: upstream, Fault: "it names no user"}
	return map[string]Report{
		"kv-list":        KVList{warned, layerUser, pairs},
		"kv-list-none":   KVList{layerFacts(invocation.KVList), layerUser, persistence.Answer{Kind: record.KV}},
		"kv-get":         KVField{layerFacts(invocation.KVGet), layerUser, "bio", pairs.Fields["bio"], pairs.From},
		"kv-write":       KVWrite{layerFacts(invocation.KVSet), invocation.KVSet, layerUser, written, false},
		"kv-dry-run":     KVWrite{layerFacts(invocation.KVSet), invocation.KVSet, layerUser, unpublished, true},
		"kv-unified":     KVWrite{layerFacts(invocation.KVUnify), invocation.KVUnify, layerUser, unified, false},
		"kv-unpublished": KVWrite{layerFacts(invocation.KVSet), invocation.KVSet, layerUser, unpublished, false},
		"kv-unchanged":   KVWrite{layerFacts(invocation.KVSet), invocation.KVSet, layerUser, persistence.KVResult{Before: before, After: before}, false},
		"kv-partial":     KVWrite{partial, invocation.KVSet, layerUser, unpublished, false},
		"layer-failure":  LayerFailure{failed, invocation.KVSet, layerUser},
		"apikey-show":    KeyShow{layerFacts(invocation.APIKeyShow), keyState(), false, false},
		"apikey-reveal":  KeyShow{layerFacts(invocation.APIKeyShow), keyState(), true, true},
		"apikey-none":    KeyShow{layerFacts(invocation.APIKeyShow), persistence.KeyState{User: layerUser}, false, true},
		"apikey-rotate":  KeyWrite{layerFacts(invocation.APIKeyRotate), invocation.APIKeyRotate, rotated, false, newKey},
		"apikey-dry-run": KeyWrite{layerFacts(invocation.APIKeyRotate), invocation.APIKeyRotate, rotated, true, ""},
		"apikey-revoke":  KeyWrite{layerFacts(invocation.APIKeyRevoke), invocation.APIKeyRevoke, revoked, false, ""},
		"apikey-whois": KeyOwners{layerFacts(invocation.APIKeyWhois), newKey, []persistence.KeyOwner{
			{Store: "MongoDB", AppKeys: true, KeyOwner: owner}, {Store: "Redis", KeyOwner: stray},
		}},
		"metrics-show":    Metrics{odd, counted, []string{"MongoDB", "Redis"}},
		"metrics-none":    Metrics{layerFacts(invocation.MetricsShow), persistence.Answer{Kind: record.Metrics}, []string{"MongoDB", "Redis"}},
		"metrics-flush":   once,
		"metrics-dry-run": dry,
		"metrics-refused": refused,
		"metrics-every":   every,
	}
}

func TestReportsOfThePersistenceLayer(t *testing.T) {
	for name, r := range layerReports() {
		var b bytes.Buffer
		if err := r.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, "layer/"+name+".txt", r.Text(ui.Style{}))
		golden.Compare(t, "layer/"+name+".json", b.String())
	}
	p := manyPlaces()
	var line, indented bytes.Buffer
	if err := errors.Join(p.WriteLine(&line), p.WriteIndented(&indented)); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "layer/get.txt", indented.String()+p.ExplainText(ui.Style{}))
	golden.Compare(t, "layer/get.json", line.String())
}

// TestAPIKeysAreShownAsFingerprints allows the new key of a rotation, and what is to be revealed.
func TestAPIKeysAreShownAsFingerprints(t *testing.T) {
	for name, r := range layerReports() {
		var b bytes.Buffer
		if err := r.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		text := r.Text(ui.Style{})
		reveals := name == "apikey-reveal"
		if shows := strings.Contains(text, oldKey) || strings.Contains(text, newKey); shows != reveals {
			t.Errorf("%s: the text shows an API key: %t", name, shows)
		}
		if strings.Contains(b.String(), oldKey) != reveals || strings.Contains(b.String(), newKey) != (reveals || name == "apikey-rotate") {
			t.Errorf("%s: JSON with and without API keys:\n%s", name, b.String())
		}
	}
}

func TestAnExportNamesWhatJSONCannotHold(t *testing.T) {
	var b bytes.Buffer
	lossy, err := WriteKVExport(&b, manyPlaces().KV.Fields)
	if err != nil || len(lossy) != 1 || lossy[0] != "id" {
		t.Errorf("%v, %v\n%s", lossy, err, &b)
	}
}
