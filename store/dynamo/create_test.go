package dynamo

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

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

// TestRecoveryIsEnabled has a server in front that knows continuous backups, which dynalite does not.
func TestRecoveryIsEnabled(t *testing.T) {
	t.Parallel()
	server := serve(t, kinds(record.Play))
	behind, err := url.Parse(server.URI)
	if err != nil {
		t.Fatal(err)
	}
	passing := httputil.NewSingleHostReverseProxy(behind)
	var (
		mu      sync.Mutex
		enabled bool
		updates int
	)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		status := map[bool]string{true: "ENABLED", false: "DISABLED"}
		switch operation := r.Header.Get("X-Amz-Target"); {
		case strings.HasSuffix(operation, ".UpdateContinuousBackups"):
			body, _ := io.ReadAll(r.Body)
			enabled = strings.Contains(string(body), `"PointInTimeRecoveryEnabled":true`)
			updates++
			fallthrough
		case strings.HasSuffix(operation, ".DescribeContinuousBackups"):
			_, _ = io.WriteString(w, `{"ContinuousBackupsDescription":{"ContinuousBackupsStatus":"ENABLED","PointInTimeRecoveryDescription":{"PointInTimeRecoveryStatus":"`+
				status[enabled]+`"}}}`)
		default:
			passing.ServeHTTP(w, r)
		}
	}))
	defer front.Close()
	for i, step := range []struct {
		dryRun  bool
		want    Feature
		updates int
	}{{true, FeatureEnabled, 0}, {false, FeatureEnabled, 1}, {false, FeatureOn, 1}} {
		tables, err := CreateTables(t.Context(), Options{Endpoint: front.URL, Tables: kinds(record.Play)}, CreateOptions{DryRun: step.dryRun})
		if err != nil || !tables[0].Existed || tables[0].Recovery != step.want || updates != step.updates {
			t.Errorf("step %d: %+v after %d updates: %v", i, tables, updates, err)
		}
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
