package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/storetest/dynamoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

const itemsVariable = "LANYARDCTL_TEST_ITEMS" // how many items the tables have together

// tablesWorld makes items of every type for the bot's tables.
type tablesWorld struct {
	random *rand.Rand
	plain  bool // without what FerretDB refuses, numbers apart
	made   int
	held   map[string][]dynamoserver.Item // by table
}

// newTablesWorld returns so many items, or as many as the variable says.
func newTablesWorld(t testing.TB, items int, plain bool) *tablesWorld {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	w := &tablesWorld{random: rand.New(rand.NewPCG(seed, 0)), plain: plain, held: make(map[string][]dynamoserver.Item)}
	if text := os.Getenv(itemsVariable); text != "" {
		var err error
		if items, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", itemsVariable, err)
		}
	}
	tables := dynamoserver.BotTables()
	for n := range items {
		table := tables[n%len(tables)]
		w.held[table.Name] = append(w.held[table.Name], w.item(table))
	}
	return w
}

// server returns a server that holds all items.
func (w *tablesWorld) server(t testing.TB) *dynamoserver.Server {
	t.Helper()
	s := dynamoserver.New(t)
	s.Create(t, dynamoserver.BotTables()...)
	for table, items := range w.held {
		s.Put(t, table, items...)
	}
	return s
}

// contents returns what such a server holds.
func (w *tablesWorld) contents() map[string]string {
	all := make(map[string]string)
	for _, table := range dynamoserver.BotTables() {
		dynamoserver.Add(all, table, w.held[table.Name]...)
	}
	return all
}

func (w *tablesWorld) pick(texts ...string) string { return texts[w.random.IntN(len(texts))] }

// item returns another item, whose key no other has.
func (w *tablesWorld) item(table record.Table) dynamoserver.Item {
	w.made++
	item := make(dynamoserver.Item)
	for _, key := range table.Keys {
		switch {
		case key.Type == record.NumberType && len(table.Keys) > 1:
			item[key.Name] = &types.AttributeValueMemberN{Value: w.pick("81384788765712384", "1032345678901234567", "9876543210987651", "18446744073709551615")}
		case key.Type == record.NumberType:
			item[key.Name] = &types.AttributeValueMemberN{Value: strconv.Itoa(81384788765712384 + w.made)}
		default:
			item[key.Name] = &types.AttributeValueMemberS{Value: w.pick("meeting", "a/b", "a%2Fb", "100%", "/", "🪢", "e\u0301", "nul\x00", "  ") + fmt.Sprint(w.made)}
		}
	}
	for _, attribute := range table.Attributes {
		switch {
		case attribute.Optional && w.random.IntN(2) == 0:
		case attribute.Optional && w.random.IntN(2) == 0:
			item[attribute.Name] = &types.AttributeValueMemberNULL{Value: true}
		case attribute.Type == record.NumberType:
			item[attribute.Name] = &types.AttributeValueMemberN{Value: w.number()}
		default:
			item[attribute.Name] = &types.AttributeValueMemberS{Value: w.text()}
		}
	}
	for range w.random.IntN(4) {
		item[w.pick("extra", "two words", "имя", "UPPER", "_x", "lanyard", "digest")] = w.value(4)
	}
	if w.random.IntN(20) == 0 {
		deep := w.value(0)
		for i := range 31 {
			if i%2 == 0 || w.plain {
				deep = &types.AttributeValueMemberM{Value: dynamoserver.Item{"deeper": deep}}
			} else {
				deep = &types.AttributeValueMemberL{Value: []types.AttributeValue{deep}}
			}
		}
		item["deep"] = deep
	}
	return item
}

// number returns the text of a number that DynamoDB holds.
func (w *tablesWorld) number() string {
	if w.random.IntN(2) == 0 {
		return w.pick("0", "-0", "0.000", "7", "-7", "9007199254740993", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
			"-9223372036854775809", "0.1", "100.00", "1E3", "12345678901234567890123456789012345678", "-1.2345678901234567890123456789012345678",
			"1E-130", "-1E-130", "9.9E125", "9.9999999999999999999999999999999999999E125", "-9.9E125")
	}
	n := 1 + w.random.IntN(38)
	digits := strconv.Itoa(1 + w.random.IntN(9))
	for len(digits) < n {
		digits += strconv.Itoa(w.random.IntN(10))
	}
	return w.pick("", "-") + digits + "E" + strconv.Itoa(w.random.IntN(256-n)-130)
}

func (w *tablesWorld) text() string {
	return w.pick("", "tomorrow", `{"users": [{"id": 94490510688792576, "plays": 1.0}]}`, "7", "true", "null", "two\nlines\r\n", "\x00", "🪢 ☕ 名前", "a|b||",
		"$set", "a.b", strings.Repeat("long ", 300), fmt.Sprint(w.random.Uint64()))
}

func (w *tablesWorld) bytes() []byte {
	b := make([]byte, w.random.IntN(40))
	for i := range b {
		b[i] = byte(w.random.Uint32())
	}
	return b
}

// value returns an attribute of any type, with lists and maps so deep.
func (w *tablesWorld) value(deep int) types.AttributeValue {
	n := 8
	if deep > 0 {
		n = 12
	}
	switch w.random.IntN(n) {
	case 0, 1:
		return &types.AttributeValueMemberS{Value: w.text()}
	case 2:
		return &types.AttributeValueMemberN{Value: w.number()}
	case 3:
		return &types.AttributeValueMemberB{Value: w.bytes()}
	case 4:
		return &types.AttributeValueMemberBOOL{Value: w.random.IntN(2) == 0}
	case 5:
		return &types.AttributeValueMemberNULL{Value: true}
	case 6, 7:
		return w.set()
	case 8, 9:
		list := make([]types.AttributeValue, w.random.IntN(4))
		for i := range list {
			list[i] = w.value(deep - 1)
			switch list[i].(type) {
			case *types.AttributeValueMemberL, *types.AttributeValueMemberSS, *types.AttributeValueMemberNS, *types.AttributeValueMemberBS:
				if w.plain {
					list[i] = &types.AttributeValueMemberS{Value: w.text()}
				}
			}
		}
		return &types.AttributeValueMemberL{Value: list}
	}
	object := make(dynamoserver.Item)
	for range w.random.IntN(4) {
		name := w.pick("a", "b", "type", "path", "имя", "0")
		if !w.plain && w.random.IntN(4) == 0 {
			name = w.pick("a.b", "$set", "$", ".", "_id", "lanyardctl")
		}
		object[name] = w.value(deep - 1)
	}
	return &types.AttributeValueMemberM{Value: object}
}

func (w *tablesWorld) set() types.AttributeValue {
	texts, numbers, binaries := make(map[string]bool), make(map[string]string), make(map[string]bool)
	for range 1 + w.random.IntN(4) {
		texts[w.text()] = true
		n := w.number()
		numbers[dynamoserver.Text(&types.AttributeValueMemberN{Value: n})] = n
		binaries[string(w.bytes())] = true
	}
	switch w.random.IntN(3) {
	case 0:
		return &types.AttributeValueMemberSS{Value: slices.Collect(maps.Keys(texts))}
	case 1:
		return &types.AttributeValueMemberNS{Value: slices.Collect(maps.Values(numbers))}
	}
	var set types.AttributeValueMemberBS
	for b := range binaries {
		set.Value = append(set.Value, []byte(b))
	}
	return &set
}

// changed returns another attribute of some likeness.
func (w *tablesWorld) changed(value types.AttributeValue) types.AttributeValue {
	switch v := value.(type) {
	case *types.AttributeValueMemberN:
		if n, ok := new(big.Int).SetString(v.Value, 10); ok && len(v.Value) < 38 {
			return &types.AttributeValueMemberN{Value: n.Add(n, big.NewInt(1)).String()}
		}
		return &types.AttributeValueMemberS{Value: v.Value}
	case *types.AttributeValueMemberS:
		if _, err := strconv.Atoi(v.Value); err == nil {
			return &types.AttributeValueMemberN{Value: v.Value}
		}
		if w.random.IntN(2) == 0 {
			return &types.AttributeValueMemberB{Value: []byte(v.Value)}
		}
		return &types.AttributeValueMemberS{Value: v.Value + "\u200b"}
	case *types.AttributeValueMemberBOOL:
		return &types.AttributeValueMemberBOOL{Value: !v.Value}
	case *types.AttributeValueMemberSS:
		var list []types.AttributeValue
		for _, text := range slices.Sorted(slices.Values(v.Value)) {
			list = append(list, &types.AttributeValueMemberS{Value: text})
		}
		return &types.AttributeValueMemberL{Value: list}
	case *types.AttributeValueMemberL:
		if len(v.Value) > 0 {
			list := slices.Clone(v.Value)
			i := w.random.IntN(len(list))
			list[i] = w.changed(list[i])
			return &types.AttributeValueMemberL{Value: list}
		}
	case *types.AttributeValueMemberM:
		if names := slices.Sorted(maps.Keys(v.Value)); len(names) > 0 {
			object := maps.Clone(v.Value)
			name := names[w.random.IntN(len(names))]
			object[name] = w.changed(object[name])
			return &types.AttributeValueMemberM{Value: object}
		}
	}
	for {
		if other := w.value(1); dynamoserver.Text(other) != dynamoserver.Text(value) {
			return other
		}
	}
}

// itemName returns what identifies an item among those of its table.
func itemName(table record.Table, item dynamoserver.Item) string {
	var parts []string
	for _, key := range table.Keys {
		text := ""
		switch v := item[key.Name].(type) {
		case *types.AttributeValueMemberN:
			text = v.Value
		case *types.AttributeValueMemberS:
			text = v.Value
		}
		if len(table.Keys) > 1 {
			text = strings.ReplaceAll(strings.ReplaceAll(text, "%", "%25"), "/", "%2F")
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "/")
}

// tablesRun is what a run answered.
type tablesRun struct {
	migrated
	Error       string
	Total       int `json:"differences_total"`
	Differences []struct {
		Kind, Type string
		Name       string `json:"key"`
		Field      *string
	}
}

// startTables starts a command on a DynamoDB and a MongoDB.
func startTables(t testing.TB, dir, dynamoURI string, mongo *mongoserver.Database, args ...string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(ferretdb.Build(t), append(args, "--dynamodb", dynamoURI, "--output", "json")...)
	cmd.Env = append(append(os.Environ(), mongo.Env()...), dynamoserver.Credentials()...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, &stdout, &stderr
}

// runTables runs a command on a DynamoDB and a MongoDB.
func runTables(t testing.TB, dir, dynamoURI string, mongo *mongoserver.Database, wantExit int, args ...string) (r tablesRun) {
	t.Helper()
	cmd, stdout, stderr := startTables(t, dir, dynamoURI, mongo, args...)
	_ = cmd.Wait() // the exit status tells
	if got := cmd.ProcessState.ExitCode(); got != wantExit {
		t.Fatalf("%v: exit status %d, want %d\n%s\n%s", args, got, wantExit, shortened(stdout.String()), shortened(stderr.String()))
	}
	if strings.Contains(stdout.String()+stderr.String(), dynamoserver.SecretAccessKey) {
		t.Errorf("%v: the output shows a secret", args)
	}
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("%v: %v: %s", args, err, stdout)
	}
	for kind, c := range r.Kinds {
		if sum := c.Inserted + c.Updated + c.Unchanged + c.Conflicts + c.Rejected; args[0] == "migrate" && sum != c.Read {
			t.Errorf("%s: %d read, the columns add up to %d", kind, c.Read, sum)
		}
	}
	return r
}

// emptyTables returns a server whose tables of the bot are empty.
func emptyTables(t testing.TB) *dynamoserver.Server {
	t.Helper()
	s := dynamoserver.New(t)
	s.Create(t, dynamoserver.BotTables()...)
	return s
}

// same compares what a server holds.
func same(t testing.TB, want map[string]string, s *dynamoserver.Server) {
	t.Helper()
	if diff := cmp.Diff(want, s.Contents(t, dynamoserver.BotTables()...)); diff != "" {
		t.Errorf("(-want +got):\n%s", shortened(diff))
	}
}

func countingDatabase(t *testing.T) *mongoserver.Database {
	return (&mongoserver.Server{URI: serveCounting(t)}).Database(t)
}

// TestTablesGoThereAndBackExactly copies tables to MongoDB and from there to another DynamoDB, and compares the two by a plain
// client.
func TestTablesGoThereAndBackExactly(t *testing.T) {
	t.Parallel()
	w := newTablesWorld(t, 500, false)
	source, mongo, dir := w.server(t), countingDatabase(t), t.TempDir()
	want := w.contents()
	same(t, want, source)

	total := func(r tablesRun) (read, inserted, unchanged int64) {
		for _, c := range r.Kinds {
			read, inserted, unchanged = read+c.Read, inserted+c.Inserted, unchanged+c.Unchanged
		}
		return read, inserted, unchanged
	}
	items := int64(len(want))
	there := func(step string, wantInserted int64) {
		r := runTables(t, dir, source.URI, mongo, exit.Done, "migrate", "dynamodb-to-mongo", "--restart")
		if read, inserted, unchanged := total(r); read != items || inserted != wantInserted || unchanged != items-wantInserted {
			t.Errorf("%s: %d read, %d inserted, %d unchanged", step, read, inserted, unchanged)
		}
		runTables(t, dir, source.URI, mongo, exit.Done, "verify", "dynamodb-to-mongo", "--exact", "--recheck", "0")
	}
	there("first", items)
	there("again", 0)

	target := emptyTables(t)
	runTables(t, dir, target.URI, mongo, exit.Differences, "verify", "mongo-to-dynamodb", "--exact", "--recheck", "0")
	back := func(step string, wantInserted int64) {
		r := runTables(t, dir, target.URI, mongo, exit.Done, "migrate", "mongo-to-dynamodb", "--restart")
		if read, inserted, unchanged := total(r); read != items || inserted != wantInserted || unchanged != items-wantInserted {
			t.Errorf("%s: %d read, %d inserted, %d unchanged", step, read, inserted, unchanged)
		}
		same(t, want, target)
		runTables(t, dir, target.URI, mongo, exit.Done, "verify", "mongo-to-dynamodb", "--exact", "--recheck", "0")
	}
	back("back", items)
	back("back again", 0)
	t.Logf("%d items", items)
}

// whole64 tells whether FerretDB can hold all numbers of the attribute.
func whole64(value types.AttributeValue) bool {
	fits := func(texts ...string) bool {
		return !slices.ContainsFunc(texts, func(text string) bool {
			n, ok := new(big.Rat).SetString(text)
			return !ok || !n.IsInt() || !n.Num().IsInt64()
		})
	}
	switch v := value.(type) {
	case *types.AttributeValueMemberN:
		return fits(v.Value)
	case *types.AttributeValueMemberNS:
		return fits(v.Value...)
	case *types.AttributeValueMemberL:
		return !slices.ContainsFunc(v.Value, func(e types.AttributeValue) bool { return !whole64(e) })
	case *types.AttributeValueMemberM:
		for _, member := range v.Value {
			if !whole64(member) {
				return false
			}
		}
	}
	return true
}

// TestOnATargetWithoutDecimalsTheirItemsAreRejects has FerretDB reject the items with decimals, and no other. What it holds
// goes back exactly.
func TestOnATargetWithoutDecimalsTheirItemsAreRejects(t *testing.T) {
	t.Parallel()
	t.Attr(ferretdb.Attribute, ferretdb.OnFerretDB)
	w := newTablesWorld(t, 300, true)
	mongo := (&mongoserver.Server{URI: ferretdb.Start(t).URI}).Database(t)
	source, target, dir := w.server(t), emptyTables(t), t.TempDir()
	var wantRejects []string
	wantBack := make(map[string]string)
	for _, table := range dynamoserver.BotTables() {
		for _, item := range w.held[table.Name] {
			if whole64(&types.AttributeValueMemberM{Value: item}) {
				dynamoserver.Add(wantBack, table, item)
			} else {
				wantRejects = append(wantRejects, table.Name+"/"+itemName(table, item))
			}
		}
	}
	rejects := filepath.Join(dir, "rejects.ndjson")
	runTables(t, dir, source.URI, mongo, exit.Rejects, "migrate", "dynamodb-to-mongo", "--rejects", rejects)
	got := make(map[string]bool)
	file, err := os.Open(rejects)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct{ Key, Reason string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.Reason != string(record.NumberOutOfRange) {
			t.Errorf("%s: %s", line.Key, line.Reason)
		}
		got[line.Key] = true
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(wantRejects)
	if diff := cmp.Diff(wantRejects, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("rejects (-want +got):\n%s", shortened(diff))
	}
	runTables(t, dir, source.URI, mongo, exit.Rejects, "verify", "dynamodb-to-mongo", "--exact", "--recheck", "0")
	runTables(t, dir, target.URI, mongo, exit.Done, "migrate", "mongo-to-dynamodb")
	same(t, wantBack, target)
	t.Logf("%d items, %d of them rejects", len(wantBack)+len(wantRejects), len(wantRejects))
}

// TestCopiesOfTablesCanBeKilled kills processes of both directions, each at another write, and resumes them.
func TestCopiesOfTablesCanBeKilled(t *testing.T) {
	t.Parallel()
	kills := 4
	if text := os.Getenv(killsVariable); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	w := newTablesWorld(t, 300, false)
	source, target, mongo, dir := w.server(t), emptyTables(t), countingDatabase(t), t.TempDir()
	want := w.contents()
	killed := 0

	// kill runs a command that dies once as much is done as a random part of the items.
	kill := func(uri string, done func(share float64) bool, share float64, args ...string) {
		cmd, _, stderr := startTables(t, dir, uri, mongo, append(args, "--batch-size", "5", "--workers", "2")...)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = cmd.Wait()
		}()
		for !done(share) {
			select {
			case <-ended:
				if cmd.ProcessState.ExitCode() != exit.Done {
					t.Errorf("exit status %d\n%s", cmd.ProcessState.ExitCode(), stderr)
				}
				return
			case <-time.After(100 * time.Microsecond):
			}
		}
		_ = cmd.Process.Kill()
		<-ended
		if cmd.ProcessState.ExitCode() == -1 {
			killed++
		}
	}
	db := mongo.Connect(t)
	documents := func() (n int64) {
		for _, table := range dynamoserver.BotTables() {
			in, err := db.Collection(table.Collection).CountDocuments(t.Context(), bson.D{})
			if err != nil {
				t.Fatal(err)
			}
			n += in
		}
		return n
	}
	for i := range kills / 2 {
		share := float64(i+1) / float64(kills/2+1)
		kill(source.URI, func(share float64) bool { return float64(documents()) >= share*float64(len(want)) }, share, "migrate", "dynamodb-to-mongo")
	}
	runTables(t, dir, source.URI, mongo, exit.Done, "migrate", "dynamodb-to-mongo")
	runTables(t, dir, source.URI, mongo, exit.Done, "verify", "dynamodb-to-mongo", "--exact", "--recheck", "0")

	proxy := dynamoserver.NewProxy(t, target)
	var past int // writes of processes that are gone
	writes := func() (n int) {
		for _, c := range proxy.Calls() {
			if slices.Contains(writeOperations, c.Operation) {
				n++
			}
		}
		return n
	}
	for i := range kills - kills/2 {
		share := float64(i+1) / float64(kills-kills/2+1)
		kill(proxy.URI, func(share float64) bool { return float64(writes()-past) >= share*float64(len(want))/float64(kills) }, share, "migrate", "mongo-to-dynamodb")
		past = writes()
	}
	runTables(t, dir, proxy.URI, mongo, exit.Done, "migrate", "mongo-to-dynamodb")
	same(t, want, target)
	runTables(t, dir, proxy.URI, mongo, exit.Done, "verify", "mongo-to-dynamodb", "--exact", "--recheck", "0")
	t.Logf("%d items; %d of %d processes were killed", len(want), killed, kills)
	if killed < kills*3/4 {
		t.Errorf("%d of %d processes were killed", killed, kills)
	}
}

var (
	readOperations  = []string{"GetItem", "BatchGetItem", "Query", "Scan"}
	writeOperations = []string{"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"}
)

// perSecond returns how many units of capacity the operations took, and in how many seconds.
func perSecond(calls []dynamoserver.Call, operations []string) (units, seconds float64) {
	var first, last time.Time
	for _, c := range calls {
		if !slices.Contains(operations, c.Operation) || c.Fault != dynamoserver.None {
			continue
		}
		if first.IsZero() {
			first = c.At
		}
		last = c.At
		units += c.Units
	}
	return units, last.Sub(first).Seconds()
}

// TestThrottledTablesAreCopiedExactly throttles a third of all requests. Most of its time is waited, for each table anew; so
// it has all tables only where the variable says how many items.
func TestThrottledTablesAreCopiedExactly(t *testing.T) {
	t.Parallel()
	w := newTablesWorld(t, 80, false)
	tables := []string{"remember", "botdata"}
	if os.Getenv(itemsVariable) != "" {
		tables = slices.Collect(maps.Keys(w.held))
	}
	maps.DeleteFunc(w.held, func(table string, _ []dynamoserver.Item) bool { return !slices.Contains(tables, table) })
	only := "--tables=" + strings.Join(tables, ",")
	source, target, mongo, dir := w.server(t), emptyTables(t), countingDatabase(t), t.TempDir()
	throttled := func(s *dynamoserver.Server) *dynamoserver.Proxy {
		p := dynamoserver.NewProxy(t, s)
		random := rand.New(rand.NewPCG(1, 2))
		p.Decide(func(dynamoserver.Call) dynamoserver.Fault {
			if random.IntN(3) == 0 {
				return dynamoserver.Throttled
			}
			return dynamoserver.None
		})
		return p
	}
	from, to := throttled(source), throttled(target)
	const most = 100 // write units a second
	runTables(t, dir, from.URI, mongo, exit.Done, "migrate", "dynamodb-to-mongo", only)
	runTables(t, dir, from.URI, mongo, exit.Done, "verify", "dynamodb-to-mongo", "--exact", "--recheck", "0", only)
	runTables(t, dir, to.URI, mongo, exit.Done, "migrate", "mongo-to-dynamodb", "--max-wcu", strconv.Itoa(most), only)
	same(t, w.contents(), target)

	calls := to.Calls()
	faults := 0
	for _, c := range calls {
		if c.Fault == dynamoserver.Throttled {
			faults++
		}
	}
	units, seconds := perSecond(calls, writeOperations)
	t.Logf("%d requests, %d of them throttled; %.0f write units in %.1f s", len(calls), faults, units, seconds)
	if faults < len(calls)/5 {
		t.Errorf("%d of %d requests were throttled", faults, len(calls))
	}
	if units > 1.1*most*seconds {
		t.Errorf("%.0f write units in %.1f s, of %d a second", units, seconds, most)
	}
}

// TestARunThatEndsInTheMiddleTellsWhatItWrote has the credentials expire once three quarters are written.
func TestARunThatEndsInTheMiddleTellsWhatItWrote(t *testing.T) {
	t.Parallel()
	w := newTablesWorld(t, 2400, false)
	maps.DeleteFunc(w.held, func(table string, _ []dynamoserver.Item) bool { return table != "remember" })
	source, target, mongo, dir := w.server(t), emptyTables(t), countingDatabase(t), t.TempDir()
	want := w.contents()
	runTables(t, dir, source.URI, mongo, exit.Done, "migrate", "dynamodb-to-mongo", "--tables", "remember")
	proxy := dynamoserver.NewProxy(t, target)
	written := 0
	proxy.Decide(func(c dynamoserver.Call) dynamoserver.Fault {
		if c.Operation == "PutItem" {
			written++
		}
		if written > len(want)*3/4 {
			return dynamoserver.Expired
		}
		return dynamoserver.None
	})
	count := func(r tablesRun) (inserted, all int64) {
		for _, c := range r.Kinds {
			inserted, all = inserted+c.Inserted, all+c.Inserted+c.Unchanged
		}
		return inserted, all
	}
	begun, _ := count(runTables(t, dir, proxy.URI, mongo, exit.Failed, "migrate", "mongo-to-dynamodb", "--tables", "remember", "--workers", "2"))
	proxy.Decide(nil)
	if items := int64(len(want)); begun < items/4 || begun > items*3/4 {
		t.Errorf("%d of %d items are told to be inserted until the credentials expired", begun, items)
	}
	if _, all := count(runTables(t, dir, proxy.URI, mongo, exit.Done, "migrate", "mongo-to-dynamodb", "--tables", "remember")); all != int64(len(want)) {
		t.Errorf("%d of %d items after it was resumed", all, len(want))
	}
	same(t, want, target)
}

// TestARunThatIsThrottledForTooLongSaysWhatHelps, and the next one does what is left.
func TestARunThatIsThrottledForTooLongSaysWhatHelps(t *testing.T) {
	t.Parallel()
	w := newTablesWorld(t, 40, false)
	mongo, dir := countingDatabase(t), t.TempDir()
	proxy := dynamoserver.NewProxy(t, w.server(t))
	scans := 0
	proxy.Decide(func(c dynamoserver.Call) dynamoserver.Fault {
		if c.Operation == "Scan" {
			scans++
		}
		if scans > 10 {
			return dynamoserver.Throttled
		}
		return dynamoserver.None
	})
	cmd, _, stderr := startTables(t, dir, proxy.URI, mongo, "migrate", "dynamodb-to-mongo", "--retry-for", "1s")
	_ = cmd.Wait() // the exit status tells
	for _, want := range []string{"DynamoDB throttles the requests", "--max-rcu", "a migration resumes"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("nothing of %q in %s", want, stderr)
		}
	}
	if got := cmd.ProcessState.ExitCode(); got != exit.Failed {
		t.Errorf("exit status %d", got)
	}
	proxy.Decide(nil)
	runTables(t, dir, proxy.URI, mongo, exit.Done, "migrate", "dynamodb-to-mongo")
	runTables(t, dir, proxy.URI, mongo, exit.Done, "verify", "dynamodb-to-mongo", "--exact", "--recheck", "0")
}

// TestARunKeepsToTheCapacityThatItIsGiven holds both rates to within a tenth. It has so many items that a first request which
// came late makes little of that.
func TestARunKeepsToTheCapacityThatItIsGiven(t *testing.T) {
	t.Parallel()
	w := newTablesWorld(t, 250, false)
	source, mongo, dir := w.server(t), countingDatabase(t), t.TempDir()
	want := w.contents()
	runTables(t, dir, source.URI, mongo, exit.Done, "migrate", "dynamodb-to-mongo")
	const most = 60 // units a second
	for flag, operations := range map[string][]string{"--max-wcu": writeOperations, "--max-rcu": readOperations} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			target := emptyTables(t)
			proxy := dynamoserver.NewProxy(t, target)
			runTables(t, t.TempDir(), proxy.URI, mongo, exit.Done, "migrate", "mongo-to-dynamodb", "--restart", flag, strconv.Itoa(most))
			same(t, want, target)
			units, seconds := perSecond(proxy.Calls(), operations)
			t.Logf("%.0f units in %.1f s: %.0f a second, of %d", units, seconds, units/seconds, most)
			if units < float64(len(want)) || units > 1.1*most*seconds {
				t.Errorf("%.0f units in %.1f s, of %d a second", units, seconds, most)
			}
		})
	}
}

// TestAnyChangeOfAnItemIsFoundAsWhatItIs changes items of the source at random, each in one way, and reads what verify says.
func TestAnyChangeOfAnItemIsFoundAsWhatItIs(t *testing.T) {
	t.Parallel()
	w := newTablesWorld(t, 500, false)
	source, mongo, dir := w.server(t), countingDatabase(t), t.TempDir()
	runTables(t, dir, source.URI, mongo, exit.Done, "migrate", "dynamodb-to-mongo")
	changes := 0
	for range 3 {
		var want []string
		now := &tablesWorld{random: w.random, made: w.made, held: make(map[string][]dynamoserver.Item)}
		for _, table := range dynamoserver.BotTables() {
			tell := func(item dynamoserver.Item, field, what string) {
				want = append(want, fmt.Sprintf("%s %s %q %s", table.Name, itemName(table, item), field, what))
			}
			for _, item := range w.held[table.Name] {
				item = maps.Clone(item)
				var names []string // of attributes that may change
				for _, name := range slices.Sorted(maps.Keys(item)) {
					if !slices.ContainsFunc(table.Keys, func(key record.Attribute) bool { return key.Name == name }) {
						names = append(names, name)
					}
				}
				name := names[w.random.IntN(len(names))]
				switch w.random.IntN(12) {
				case 0, 1, 2:
					item[name] = w.changed(item[name])
					tell(item, name, "different")
				case 3:
					delete(item, name)
					tell(item, name, "extra")
				case 4:
					item["added"] = w.value(2)
					tell(item, "added", "missing")
				case 5:
					tell(item, "", "extra")
					continue
				case 6:
					other := now.item(table)
					now.held[table.Name] = append(now.held[table.Name], other)
					tell(other, "", "missing")
				}
				now.held[table.Name] = append(now.held[table.Name], item)
			}
		}
		moved := now.server(t)
		r := runTables(t, dir, moved.URI, mongo, exit.Differences, "verify", "dynamodb-to-mongo", "--exact", "--recheck", "0", "--max-differences", "100000")
		moved.Kill()
		var got []string
		for _, d := range r.Differences {
			field := ""
			if d.Field != nil {
				field = *d.Field
			}
			got = append(got, fmt.Sprintf("%s %s %q %s", d.Kind, d.Name, field, d.Type))
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", shortened(diff))
		}
		changes += len(want)
	}
	t.Logf("%d changes", changes)
}
