package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/dynamoserver"
)

func TestSource(t *testing.T) {
	t.Parallel()
	for _, segments := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d segments", segments), func(t *testing.T) {
			t.Parallel()
			server := dynamoserver.New(t)
			client := server.Client(t)
			storetest.RunTableSource(t, func(t testing.TB) storetest.TableSource {
				for _, kind := range storetest.TestedTables.List() {
					table, _ := kind.Table()
					if _, err := client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table.Name}); err == nil {
						drop(t, client, table.Name)
					}
					server.Create(t, table)
				}
				s := openAt(t, server.URI, storetest.TestedTables)
				return storetest.TableSource{
					Source: func() record.Source { return s.Source(SourceOptions{Segments: segments}) },
					Limits: s.Limits(),
					Put: func(records []record.Record) {
						items := make(map[record.Kind][]item)
						for _, r := range records {
							it, _ := itemOf(r.Fields)
							items[r.Kind] = append(items[r.Kind], it)
						}
						for kind, list := range items {
							table, _ := kind.Table()
							put(t, client, table.Name, list...)
						}
					},
				}
			})
		})
	}
}

// readAll reads all parts of a source one after another, and returns the names of the items, each of which comes once.
func readAll(t testing.TB, source record.Source) map[string]record.Item {
	t.Helper()
	all := make(map[string]record.Item)
	parts, err := source.Parts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range parts {
		if err := part.Read(t.Context(), "", take(t, all)); err != nil {
			t.Fatalf("read %s: %v", part.Name(), err)
		}
	}
	return all
}

func take(t testing.TB, all map[string]record.Item) func(record.Page) error {
	return func(page record.Page) error {
		if page.Seen.Keys != int64(len(page.Items)) || page.Seen.Lanyard != page.Seen.Keys || page.Next == "" {
			t.Errorf("%d items: %+v, next %q", len(page.Items), page.Seen, page.Next)
		}
		for _, it := range page.Items {
			name := it.Identity().String()
			if _, twice := all[name]; twice {
				t.Errorf("%s comes twice", name)
			}
			all[name] = it
		}
		return nil
	}
}

func TestAnItemAsARecord(t *testing.T) {
	t.Parallel()
	server := serve(t, kinds(record.Sparkle))
	put(t, server.Client(t), "sparkle",
		item{"discord_server_id": attrN("81384788765712384"), "discord_handle": attrS("a/b%"), "total_sparkles": attrN("1.50"), "sparkle_reasons": attrS(""), "updated_at": attrS("2022-10-01T16:22:06")},
		item{"discord_server_id": attrN("7"), "discord_handle": attrS("x"), "total_sparkles": attrN("1")},
	)
	all := readAll(t, openAt(t, server.URI, kinds(record.Sparkle)).Source(SourceOptions{}))
	whole := all["81384788765712384/a%2Fb%25"]
	if len(all) != 2 || whole.Record == nil || whole.Notes != nil {
		t.Fatalf("%v", all)
	}
	for name, want := range map[string]record.Field{
		"discord_server_id": {Value: int64(81384788765712384), Origin: record.Origin{Raw: `{"N":"81384788765712384"}`}},
		"sparkle_reasons":   {Value: "", Origin: record.Origin{Raw: `{"S":""}`}},
		"total_sparkles":    {Value: record.Decimal("1.5"), Origin: record.Origin{Raw: `{"N":"1.5"}`}}, // the server normalises it
	} {
		want.Origin.Key = "sparkle/81384788765712384/a%2Fb%25"
		if got := whole.Record.Fields[name]; got != want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if notes := all["7/x"].Notes; len(notes) != 1 || notes[0] != record.Incomplete {
		t.Errorf("notes of an item without the bot's attributes: %v", notes)
	}
}

func TestWhatCannotBeReadIsRejected(t *testing.T) {
	t.Parallel()
	table, _ := record.BotData.Table()
	s := &Store{tables: map[record.Kind]TableInfo{record.BotData: {Name: "botdata", Keys: table.Keys}}}
	for name, c := range map[string]struct {
		it     item
		reason record.Reason
	}{
		"a number that is none": {item{"key": attrS("k"), "value": attrN("x")}, record.RefusedByTarget},
		"no key":                {item{"value": attrS("x"), "n": attrN("1")}, record.InvalidItemKey},
	} {
		it := s.recordOf(record.BotData, c.it)
		if it.Record != nil || len(it.Rejects) != 2 || it.Rejects[0].Reason != c.reason || !it.Rejects[1].Value.Present || it.Rejects[1].Value.Data == "" {
			t.Errorf("%s: %+v", name, it)
		}
	}
}

func TestATableThatGrewIsReadOnWhereARunEnded(t *testing.T) {
	t.Parallel()
	s := openAt(t, serve(t, kinds(record.Play)).URI, kinds(record.Play))
	before := s.Source(SourceOptions{})
	counted := s.tables[record.Play]
	counted.Items, counted.Bytes = 1e7, 1<<40
	s.tables[record.Play] = counted
	after := s.Source(SourceOptions{})
	if parts, err := after.Parts(t.Context()); err != nil || len(parts) != DefaultSegments || after.Identity() != before.Identity() {
		t.Errorf("%d parts of %s, which was %s: %v", len(parts), after.Identity(), before.Identity(), err)
	}
}

func TestATableIsAnotherInTheEnd(t *testing.T) {
	t.Parallel()
	server := serve(t, kinds(record.BotData, record.Remember))
	client := server.Client(t)
	put(t, client, "remember", reminders(50, 1000)...)
	s := openAt(t, server.URI, kinds(record.BotData, record.Remember), func(o *Options) { o.MaxRCU = 1000 })
	source := s.Source(SourceOptions{})
	before := source.Identity()
	none := func(record.Page) error { return nil }
	if err := source.Deferred(t.Context(), none); err != nil {
		t.Fatal(err)
	}
	parts, _ := source.Parts(t.Context())
	err := parts[0].Read(t.Context(), "", func(record.Page) error { drop(t, client, "remember"); return nil })
	if !errors.Is(err, record.ErrSourceMoved) || !strings.Contains(err.Error(), "remember was deleted") {
		t.Errorf("deleted between two pages: %v", err)
	}
	if err := source.Deferred(t.Context(), none); !errors.Is(err, record.ErrSourceMoved) {
		t.Errorf("deleted: %v", err)
	}
	table, _ := record.Remember.Table()
	server.Create(t, table)
	if err := source.Deferred(t.Context(), none); !errors.Is(err, record.ErrSourceMoved) || !strings.Contains(err.Error(), "made anew") {
		t.Errorf("made anew: %v", err)
	}
	if after := openAt(t, server.URI, kinds(record.BotData, record.Remember)).Source(SourceOptions{}).Identity(); after == before {
		t.Errorf("the identity is still %s", after)
	}
}

func TestThrottledRequestsAreMadeAgain(t *testing.T) {
	t.Parallel()
	server := serve(t, kinds(record.Remember))
	proxy := dynamoserver.NewProxy(t, server)
	put(t, server.Client(t), "remember", reminders(3000, 1000)...)
	proxy.Decide(func(c dynamoserver.Call) dynamoserver.Fault {
		if c.N%3 == 0 {
			return []dynamoserver.Fault{dynamoserver.Throttled, dynamoserver.Limited, dynamoserver.Throttling}[c.N/3%3]
		}
		return dynamoserver.None
	})
	s := openAt(t, proxy.URI, kinds(record.Remember), func(o *Options) { o.MaxRCU = 2000 })
	if all := readAll(t, s.Source(SourceOptions{Segments: 2})); len(all) != 3000 {
		t.Errorf("%d items", len(all))
	}
	faults := 0
	for _, c := range proxy.Calls() {
		if c.Fault != dynamoserver.None {
			faults++
		}
	}
	if calls := len(proxy.Calls()); faults < calls/3 || calls < 15 {
		t.Errorf("%d of %d requests were throttled", faults, calls)
	}
}

func TestAServerThatStaysAwayIsGivenUp(t *testing.T) {
	t.Parallel()
	server := serve(t, kinds(record.Remember))
	for _, fault := range []dynamoserver.Fault{dynamoserver.Throttled, dynamoserver.CutBefore, dynamoserver.Unavailable} {
		proxy := dynamoserver.NewProxy(t, server)
		told := make(chan string, 100)
		s := openAt(t, proxy.URI, kinds(record.Remember), func(o *Options) {
			o.RetryFor, o.Notify = 1, func(message string) { told <- message }
		})
		s.opts.RetryFor = 2e9
		proxy.Decide(func(dynamoserver.Call) dynamoserver.Fault { return fault })
		_, err := s.Reader().Count(t.Context(), record.Remember)
		if !errors.Is(err, record.ErrUnavailable) || !errors.Is(err, record.ErrGivenUp) || errors.Is(err, ErrThrottled) != (fault == dynamoserver.Throttled) {
			t.Errorf("%s: %v", fault, err)
		}
		if e, ok := errors.AsType[*Error](err); !ok || e.Operation != "Scan" || e.Table != "remember" {
			t.Errorf("%s: %+v", fault, e)
		}
		select {
		case message := <-told:
			if !strings.HasPrefix(message, "waiting for DynamoDB at "+proxy.URI+" (Scan of the table remember: ") {
				t.Errorf("%s: %s", fault, message)
			}
		default:
			t.Errorf("%s: nobody was told", fault)
		}
	}
}

func TestReadingGoesOnWhereItEnded(t *testing.T) {
	t.Parallel()
	server := serve(t, kinds(record.Remember))
	put(t, server.Client(t), "remember", reminders(2000, 500)...)
	for fault, want := range map[dynamoserver.Fault]error{dynamoserver.Expired: ErrExpired, dynamoserver.Denied: ErrPermission} {
		proxy := dynamoserver.NewProxy(t, server)
		slow := func(o *Options) { o.MaxRCU = 2000 }
		s := openAt(t, proxy.URI, kinds(record.Remember), slow)
		all, last, scans := make(map[string]record.Item), "", 0
		proxy.Decide(func(c dynamoserver.Call) dynamoserver.Fault {
			if scans++; scans > 3 {
				return fault
			}
			return dynamoserver.None
		})
		collect := take(t, all)
		parts, _ := s.Source(SourceOptions{Segments: 1}).Parts(t.Context())
		err := parts[0].Read(t.Context(), "", func(page record.Page) error { last = page.Next; return collect(page) })
		if !errors.Is(err, want) || errors.Is(err, record.ErrUnavailable) || len(all) == 0 || len(all) == 2000 {
			t.Fatalf("%s after %d items: %v", fault, len(all), err)
		}
		proxy.Decide(nil)
		again := openAt(t, proxy.URI, kinds(record.Remember), slow)
		parts, _ = again.Source(SourceOptions{Segments: 1}).Parts(t.Context())
		if err := parts[0].Read(t.Context(), last, collect); err != nil || len(all) != 2000 {
			t.Errorf("%s: %d items in the end: %v", fault, len(all), err)
		}
	}
}

func TestConnectionsThatAreCutAreMadeAgain(t *testing.T) {
	t.Parallel()
	server := serve(t, kinds(record.Remember))
	put(t, server.Client(t), "remember", reminders(1500, 500)...)
	proxy := dynamoserver.NewProxy(t, server)
	s := openAt(t, proxy.URI, kinds(record.Remember), func(o *Options) { o.MaxRCU = 2000 })
	proxy.Decide(func(c dynamoserver.Call) dynamoserver.Fault {
		return []dynamoserver.Fault{dynamoserver.None, dynamoserver.CutBefore, dynamoserver.CutAfter, dynamoserver.Unavailable}[c.N%4]
	})
	if all := readAll(t, s.Source(SourceOptions{})); len(all) != 1500 {
		t.Errorf("%d items", len(all))
	}
}

func TestAReaderThatIsStopped(t *testing.T) {
	t.Parallel()
	server := serve(t, kinds(record.Remember))
	proxy := dynamoserver.NewProxy(t, server)
	s := openAt(t, proxy.URI, kinds(record.Remember))
	ctx, cancel := context.WithCancel(t.Context())
	requests := 0
	proxy.Decide(func(dynamoserver.Call) dynamoserver.Fault {
		if requests++; requests == 2 { // while the SDK tries again, not the store
			cancel()
		}
		return dynamoserver.Throttled
	})
	_, err := s.Reader().Count(ctx, record.Remember)
	if !errors.Is(err, context.Canceled) || errors.Is(err, record.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

func TestConsistentReads(t *testing.T) {
	t.Parallel()
	server := serve(t, kinds(record.Remember))
	proxy := dynamoserver.NewProxy(t, server)
	put(t, server.Client(t), "remember", reminders(20, 1000)...)
	for _, consistent := range []bool{false, true} {
		s := openAt(t, proxy.URI, kinds(record.Remember), func(o *Options) { o.Consistent = consistent })
		readAll(t, s.Source(SourceOptions{}))
		last := proxy.Calls()[len(proxy.Calls())-1]
		if last.Operation != "Scan" || strings.Contains(string(last.Body), `"ConsistentRead":true`) != consistent {
			t.Errorf("%s %s", last.Operation, last.Body)
		}
	}
}

func TestReader(t *testing.T) {
	t.Parallel()
	server := serve(t, kinds(record.Remember))
	put(t, server.Client(t), "remember", reminders(3000, 1000)...)
	reader := openAt(t, server.URI, kinds(record.Remember)).Reader()
	documents, pages := make(map[record.Name]record.Document), 0
	err := reader.Read(t.Context(), record.Remember, func(list []record.Document) error {
		pages++
		for _, d := range list {
			if !d.Named || !d.Held.Found || d.Held.Unmodified || d.Collection != record.CollectionOf(record.Remember) || d.Held.Fields["rem_value"] == nil {
				t.Fatalf("%+v", d)
			}
			documents[d.Name] = d
		}
		return nil
	})
	if err != nil || len(documents) != 3000 || pages < 3 {
		t.Errorf("%d documents on %d pages: %v", len(documents), pages, err)
	}
	digests := 0
	err = reader.ReadDigests(t.Context(), record.Remember, storetest.Now, func(list []record.DocumentDigest) error {
		digests += len(list)
		return nil
	})
	if err != nil || digests != 3000 {
		t.Errorf("%d digests: %v", digests, err)
	}
	if n, err := reader.Count(t.Context(), record.Remember); err != nil || n != 3000 {
		t.Errorf("%d items: %v", n, err)
	}
}
