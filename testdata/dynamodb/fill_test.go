package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/storetest/dynamoserver"
)

// TestTheTablesAreAsTheFilesSay fills a server and compares what it holds with the files, numbers by their value.
func TestTheTablesAreAsTheFilesSay(t *testing.T) {
	t.Parallel()
	server := dynamoserver.New(t)
	server.Create(t, dynamoserver.BotTables()...)
	n, err := fill(t.Context(), server.URI)
	if err != nil {
		t.Fatal(err)
	}
	all, err := items()
	if err != nil {
		t.Fatal(err)
	}
	want, got := make(map[string]string), make(map[string]string)
	for table, list := range all {
		put(want, table, list)
	}
	if len(want) != n {
		t.Errorf("%d items have %d keys", n, len(want))
	}
	client := server.Client(t)
	for _, table := range dynamoserver.BotTables() {
		out, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String(table.Name), ConsistentRead: aws.Bool(true)})
		if err != nil {
			t.Fatal(err)
		}
		put(got, table.Name, out.Items)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// put adds a table's items to all, as text by table and key.
func put(all map[string]string, table string, items []map[string]types.AttributeValue) {
	for _, kind := range record.BotTables.List() {
		t, _ := kind.Table()
		if t.Name != table {
			continue
		}
		for _, item := range items {
			where := table
			for _, key := range t.Keys {
				where += " " + shown(item[key.Name])
			}
			all[where] = shown(&types.AttributeValueMemberM{Value: item})
		}
	}
}

// shown returns a text that equal values alone share.
func shown(value types.AttributeValue) string {
	number := func(text string) string {
		n, ok := record.ParseDecimal(text)
		return fmt.Sprint(n, ok)
	}
	set := func(members []string) string {
		slices.Sort(members)
		return fmt.Sprintf("%T%q", value, members)
	}
	switch v := value.(type) {
	case *types.AttributeValueMemberN:
		return "N" + number(v.Value)
	case *types.AttributeValueMemberL:
		text := "["
		for _, member := range v.Value {
			text += shown(member) + ","
		}
		return text + "]"
	case *types.AttributeValueMemberM:
		text := "{"
		for _, name := range slices.Sorted(maps.Keys(v.Value)) {
			text += fmt.Sprintf("%q:%s,", name, shown(v.Value[name]))
		}
		return text + "}"
	case *types.AttributeValueMemberSS:
		return set(v.Value)
	case *types.AttributeValueMemberNS:
		var numbers []string
		for _, n := range v.Value {
			numbers = append(numbers, number(n))
		}
		return set(numbers)
	case *types.AttributeValueMemberBS:
		var texts []string
		for _, b := range v.Value {
			texts = append(texts, base64.StdEncoding.EncodeToString(b))
		}
		return set(texts)
	}
	b, _ := json.Marshal(value)
	return fmt.Sprintf("%T%s", value, bytes.TrimSpace(b))
}
