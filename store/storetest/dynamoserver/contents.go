package dynamoserver

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/lanyardctl/lanyardctl/record"
)

// Item is an item as the SDK has it.
type Item = map[string]types.AttributeValue

// Items returns all items of a table, as a plain client reads them.
func (s *Server) Items(t testing.TB, table string) []Item {
	t.Helper()
	var all []Item
	in := &dynamodb.ScanInput{TableName: aws.String(table), ConsistentRead: aws.Bool(true)}
	for pages := dynamodb.NewScanPaginator(s.Client(t), in); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatalf("read the table %s: %v", table, err)
		}
		all = append(all, page.Items...)
	}
	return all
}

// Contents returns all items of the tables as texts, by the texts of table and key. Two servers hold the same where the maps
// are equal.
func (s *Server) Contents(t testing.TB, tables ...record.Table) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, table := range tables {
		Add(all, table, s.Items(t, table.Name)...)
	}
	return all
}

// Add adds items of a table to what [Server.Contents] returns.
func Add(contents map[string]string, table record.Table, items ...Item) {
	for _, item := range items {
		where := table.Name
		for _, key := range table.Keys {
			where += " " + Text(item[key.Name])
		}
		contents[where] = Text(&types.AttributeValueMemberM{Value: item})
	}
}

// Text returns a text that equal attributes alone share. Numbers are compared by their values, sets without an order.
func Text(value types.AttributeValue) string {
	quoted := func(texts []string) string {
		for i, text := range texts {
			texts[i] = strconv.Quote(text)
		}
		return sorted(texts)
	}
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return "S" + strconv.Quote(v.Value)
	case *types.AttributeValueMemberN:
		return "N" + number(v.Value)
	case *types.AttributeValueMemberB:
		return "B" + base64.StdEncoding.EncodeToString(v.Value)
	case *types.AttributeValueMemberBOOL:
		return "BOOL" + strconv.FormatBool(v.Value)
	case *types.AttributeValueMemberNULL:
		return "NULL" + strconv.FormatBool(v.Value)
	case *types.AttributeValueMemberL:
		var members []string
		for _, member := range v.Value {
			members = append(members, Text(member))
		}
		return "L[" + strings.Join(members, ",") + "]"
	case *types.AttributeValueMemberM:
		var members []string
		for _, name := range slices.Sorted(maps.Keys(v.Value)) {
			members = append(members, strconv.Quote(name)+":"+Text(v.Value[name]))
		}
		return "M{" + strings.Join(members, ",") + "}"
	case *types.AttributeValueMemberSS:
		return "SS" + quoted(slices.Clone(v.Value))
	case *types.AttributeValueMemberNS:
		var members []string
		for _, n := range v.Value {
			members = append(members, number(n))
		}
		return "NS" + sorted(members)
	case *types.AttributeValueMemberBS:
		var members []string
		for _, b := range v.Value {
			members = append(members, base64.StdEncoding.EncodeToString(b))
		}
		return "BS" + quoted(members)
	}
	return fmt.Sprintf("%T", value)
}

func sorted(members []string) string {
	slices.Sort(members)
	return "{" + strings.Join(members, ",") + "}"
}

// number returns a number in one spelling, without the code that is tested.
func number(text string) string {
	n, ok := new(big.Rat).SetString(text)
	if !ok {
		return "no number: " + text
	}
	return n.RatString()
}

// Put writes items into a table.
func (s *Server) Put(t testing.TB, table string, items ...Item) {
	t.Helper()
	client := s.Client(t)
	const most = 25 // of one request
	for some := range slices.Chunk(items, most) {
		var requests []types.WriteRequest
		for _, item := range some {
			requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
		}
		for left := map[string][]types.WriteRequest{table: requests}; len(left) > 0; {
			out, err := client.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: left})
			if err != nil {
				t.Fatalf("write to the table %s: %v", table, err)
			}
			left = out.UnprocessedItems
		}
	}
}
