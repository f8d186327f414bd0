package dynamo

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/storetest/dynamoserver"
)

func TestCreateTables(t *testing.T) {
	t.Parallel()
	server := dynamoserver.New(t)
	play, _ := record.Play.Table()
	server.Create(t, play)
	o := Options{Endpoint: server.URI, Tables: record.BotTables}
	made := func(c CreateOptions) (made []string) {
		t.Helper()
		tables, err := CreateTables(t.Context(), o, c)
		if err != nil || len(tables) != 8 {
			t.Fatalf("%d tables: %v", len(tables), err)
		}
		for _, c := range tables {
			if !c.Existed {
				made = append(made, c.Table.Name)
			}
		}
		return made
	}
	const others = "remember league loud tts sparkle botdata eftitemtracker"
	for range 2 {
		if got := strings.Join(made(CreateOptions{DryRun: true}), " "); got != others {
			t.Errorf("a dry run would make %s", got)
		}
	}
	if got := strings.Join(made(CreateOptions{}), " "); got != others {
		t.Errorf("made %s", got)
	}
	if got := made(CreateOptions{}); got != nil {
		t.Errorf("made again: %s", got)
	}
	for _, info := range openAt(t, server.URI, record.BotTables).Info().Tables {
		if info.Billing != "PAY_PER_REQUEST" {
			t.Errorf("%s is paid for by %s", info.Name, info.Billing)
		}
	}
	tables, err := CreateTables(t.Context(), o, CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range tables {
		if c.Recovery != FeatureUnsupported || c.Encryption != FeatureOff {
			t.Errorf("%+v", c)
		}
	}
}

func TestATableThatWasThereIsPaidForAsBefore(t *testing.T) {
	t.Parallel()
	server := serve(t, kinds(record.Loud))
	key := &types.KeySchemaElement{AttributeName: new("discord_server_id"), KeyType: types.KeyTypeHash}
	_, err := openAt(t, server.URI, kinds(record.Loud)).client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: new("play"), KeySchema: []types.KeySchemaElement{*key},
		AttributeDefinitions:  []types.AttributeDefinition{{AttributeName: key.AttributeName, AttributeType: types.ScalarAttributeTypeN}},
		ProvisionedThroughput: &types.ProvisionedThroughput{ReadCapacityUnits: new(int64(5)), WriteCapacityUnits: new(int64(5))},
	})
	if err != nil {
		t.Fatal(err)
	}
	tables, err := CreateTables(t.Context(), Options{Endpoint: server.URI, Tables: kinds(record.Loud, record.Play, record.TTS)}, CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range tables {
		want := "PAY_PER_REQUEST"
		if c.Kind == record.Play {
			want = "PROVISIONED"
		}
		if c.Billing != want {
			t.Errorf("%s is paid for by %s, want %s", c.Kind, c.Billing, want)
		}
	}
}

func TestTablesOfAnotherKeyAreLeft(t *testing.T) {
	t.Parallel()
	server := dynamoserver.New(t)
	server.Create(t, record.Table{Name: "tts", Keys: []record.Attribute{{Name: "id", Type: record.TextType}}})
	_, err := CreateTables(t.Context(), Options{Endpoint: server.URI, Tables: record.BotTables}, CreateOptions{})
	if wrong, ok := errors.AsType[*TableError](err); !ok || !errors.Is(err, ErrKeySchema) || wrong.Tables[0] != "tts" {
		t.Errorf("%v", err)
	}
	if _, err := Open(t.Context(), Options{Endpoint: server.URI, Tables: kinds(record.Remember)}); !errors.Is(err, ErrNoTable) {
		t.Errorf("a table was made: %v", err)
	}
}

func TestCreatingGoesOnAfterAnAnswerWasLost(t *testing.T) {
	t.Parallel()
	server := dynamoserver.New(t)
	proxy := dynamoserver.NewProxy(t, server)
	cut := false
	proxy.Decide(func(c dynamoserver.Call) dynamoserver.Fault {
		if c.Operation == "CreateTable" {
			if cut = !cut; cut {
				return dynamoserver.CutAfter
			}
		}
		return dynamoserver.None
	})
	tables, err := CreateTables(t.Context(), Options{Endpoint: proxy.URI, Tables: kinds(record.Loud, record.TTS)}, CreateOptions{})
	if err != nil || len(tables) != 2 {
		t.Errorf("%+v: %v", tables, err)
	}
}

// backups stands in front of a server, and knows continuous backups, which dynalite does not.
type backups struct {
	passing *httputil.ReverseProxy

	mu      sync.Mutex
	notYet  []string // codes of the next answers; empty for none
	enabled bool     // of all tables
	updates int
}

func newBackups(t *testing.T, server *dynamoserver.Server) (b *backups, uri string) {
	t.Helper()
	behind, err := url.Parse(server.URI)
	if err != nil {
		t.Fatal(err)
	}
	b = &backups{passing: httputil.NewSingleHostReverseProxy(behind)}
	front := httptest.NewServer(b)
	t.Cleanup(front.Close)
	return b, front.URL
}

func (b *backups) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if !strings.HasSuffix(operation, "ContinuousBackups") {
		b.passing.ServeHTTP(w, r)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.notYet) > 0 {
		code := b.notYet[0]
		if b.notYet = b.notYet[1:]; code != "" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type":"com.amazonaws.dynamodb.v20120810#`+code+`","message":"Backups are being enabled for the table"}`)
			return
		}
	}
	if operation == "UpdateContinuousBackups" {
		body, _ := io.ReadAll(r.Body)
		b.enabled = strings.Contains(string(body), `"PointInTimeRecoveryEnabled":true`)
		b.updates++
	}
	status := map[bool]string{true: "ENABLED", false: "DISABLED"}[b.enabled]
	_, _ = io.WriteString(w, `{"ContinuousBackupsDescription":{"ContinuousBackupsStatus":"ENABLED","PointInTimeRecoveryDescription":{"PointInTimeRecoveryStatus":"`+
		status+`"}}}`)
}

func TestRecoveryIsEnabled(t *testing.T) {
	t.Parallel()
	b, uri := newBackups(t, serve(t, kinds(record.Play)))
	for i, step := range []struct {
		dryRun  bool
		want    Feature
		updates int
	}{{true, FeatureEnabled, 0}, {false, FeatureEnabled, 1}, {false, FeatureOn, 1}} {
		tables, err := CreateTables(t.Context(), Options{Endpoint: uri, Tables: kinds(record.Play)}, CreateOptions{DryRun: step.dryRun})
		if err != nil || !tables[0].Existed || tables[0].Recovery != step.want || b.updates != step.updates {
			t.Errorf("step %d: %+v after %d updates: %v", i, tables, b.updates, err)
		}
	}
}

func TestTheBackupsOfANewTableAreWaitedFor(t *testing.T) {
	t.Parallel()
	notYet := []string{"TableNotFoundException", "ContinuousBackupsUnavailableException", "", "ContinuousBackupsUnavailableException"}
	for _, c := range []struct {
		CreateOptions
		codes []string
		want  []Feature
		err   error
	}{
		{CreateOptions{}, notYet, []Feature{FeatureEnabled, FeatureOn}, nil},
		{CreateOptions{NoWait: true}, notYet[:1], []Feature{FeaturePending, FeatureEnabled}, nil},
		{CreateOptions{Wait: time.Millisecond}, notYet, []Feature{FeaturePending, FeatureUnknown}, ErrTableStatus},
		{CreateOptions{}, []string{"AccessDeniedException"}, []Feature{FeatureUnknown, FeatureUnknown}, ErrPermission},
		{CreateOptions{DryRun: true}, notYet[:1], []Feature{FeaturePending, FeatureEnabled}, nil},
	} {
		b, uri := newBackups(t, serve(t, kinds(record.Play, record.Loud)))
		b.notYet = c.codes
		tables, err := CreateTables(t.Context(), Options{Endpoint: uri, Tables: kinds(record.Play, record.Loud)}, c.CreateOptions)
		var got []Feature
		for _, made := range tables {
			got = append(got, made.Recovery)
		}
		if !errors.Is(err, c.err) || !slices.Equal(got, c.want) {
			t.Errorf("%+v after %s: %v: %v", c.CreateOptions, c.codes, got, err)
		}
	}
}

func TestTablesThatWereMadeAreToldOfAfterAnError(t *testing.T) {
	t.Parallel()
	proxy := dynamoserver.NewProxy(t, dynamoserver.New(t))
	proxy.Decide(func(c dynamoserver.Call) dynamoserver.Fault {
		if c.Operation == "CreateTable" && strings.Contains(string(c.Body), `"tts"`) {
			return dynamoserver.Denied
		}
		return dynamoserver.None
	})
	tables, err := CreateTables(t.Context(), Options{Endpoint: proxy.URI, Tables: kinds(record.Loud, record.TTS)}, CreateOptions{})
	if !errors.Is(err, ErrPermission) || len(tables) != 1 || tables[0].Recovery != FeaturePending || tables[0].Encryption != FeaturePending {
		t.Errorf("%+v: %v", tables, err)
	}
}

func TestWhatIsAWS(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]bool{
		"": true, "https://dynamodb-fips.us-east-1.amazonaws.com": true, "https://vpce-1-a.dynamodb.us-west-2.vpce.amazonaws.com": true,
		"https://dynamodb.cn-north-1.amazonaws.com.cn": true, "https://dynamodb.us-west-2.api.aws:443/": true,
		"http://localhost:4566": false, "http://amazonaws.com.example.org": false, "http://notamazonaws.com": false,
	} {
		s := &Store{client: dynamodb.New(dynamodb.Options{BaseEndpoint: &endpoint})}
		if s.isAWS() != want {
			t.Errorf("%s is AWS: %v", endpoint, !want)
		}
		encrypted := map[bool]Feature{true: FeatureAWSOwned, false: FeatureOff}[want]
		if got := s.encryptionOf(&types.TableDescription{}, FeatureOn); got != encrypted {
			t.Errorf("a table of which %q says nothing has encryption %s", endpoint, got)
		}
	}
}
