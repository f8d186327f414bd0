// Command dynamodb fills the tables of the bot with made-up items: every type of DynamoDB's, and every odd value. The
// files beside it hold them, a table each, in the form of DynamoDB's exports. The tables have to be there.
//
//	go run ./testdata/dynamodb --endpoint http://127.0.0.1:8000
package main

import (
	"bufio"
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func main() {
	endpoint := flag.String("endpoint", "", "`URL` of a DynamoDB that asks for no credentials")
	flag.Parse()
	if *endpoint == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	n, err := fill(context.Background(), *endpoint)
	if err != nil {
		fmt.Fprintln(os.Stderr, "dynamodb:", err)
		os.Exit(1)
	}
	fmt.Printf("%d items written\n", n)
}

//go:embed *.json
var files embed.FS

// fill puts all items, in place of those that have their keys, and returns their number.
func fill(ctx context.Context, endpoint string) (int, error) {
	client := dynamodb.New(dynamodb.Options{
		BaseEndpoint: aws.String(endpoint),
		Region:       "us-west-2",
		Credentials:  credentials.NewStaticCredentialsProvider("none", "none", ""),
	})
	all, err := items()
	if err != nil {
		return 0, err
	}
	n := 0
	for table, list := range all {
		for _, item := range list {
			if _, err := client.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(table), Item: item}); err != nil {
				return n, fmt.Errorf("put an item into %s: %w", table, err)
			}
			n++
		}
	}
	return n, nil
}

// items returns all items, by their tables.
func items() (map[string][]map[string]types.AttributeValue, error) {
	names, err := files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	all := make(map[string][]map[string]types.AttributeValue)
	for _, file := range names {
		content, err := files.ReadFile(file.Name())
		if err != nil {
			return nil, err
		}
		table := strings.TrimSuffix(file.Name(), path.Ext(file.Name()))
		lines := bufio.NewScanner(bytes.NewReader(content))
		lines.Buffer(nil, 1<<20)
		for n := 1; lines.Scan(); n++ {
			var line struct{ Item map[string]attribute }
			if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
				return nil, fmt.Errorf("%s, line %d: %w", file.Name(), n, err)
			}
			all[table] = append(all[table], values(line.Item))
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("%s: %w", file.Name(), err)
		}
	}
	return all, nil
}

// attribute is a value in DynamoDB's JSON, of which it has one field.
type attribute struct {
	S, N       *string
	B          []byte
	BOOL, NULL *bool
	L          []attribute
	M          map[string]attribute
	SS, NS     []string
	BS         [][]byte
}

// value returns the value for the SDK, which reads no JSON.
func (a attribute) value() types.AttributeValue {
	switch {
	case a.S != nil:
		return &types.AttributeValueMemberS{Value: *a.S}
	case a.N != nil:
		return &types.AttributeValueMemberN{Value: *a.N}
	case a.B != nil:
		return &types.AttributeValueMemberB{Value: a.B}
	case a.BOOL != nil:
		return &types.AttributeValueMemberBOOL{Value: *a.BOOL}
	case a.NULL != nil:
		return &types.AttributeValueMemberNULL{Value: *a.NULL}
	case a.L != nil:
		list := make([]types.AttributeValue, len(a.L))
		for i, member := range a.L {
			list[i] = member.value()
		}
		return &types.AttributeValueMemberL{Value: list}
	case a.M != nil:
		return &types.AttributeValueMemberM{Value: values(a.M)}
	case a.SS != nil:
		return &types.AttributeValueMemberSS{Value: a.SS}
	case a.NS != nil:
		return &types.AttributeValueMemberNS{Value: a.NS}
	}
	return &types.AttributeValueMemberBS{Value: a.BS}
}

func values(attributes map[string]attribute) map[string]types.AttributeValue {
	all := make(map[string]types.AttributeValue, len(attributes))
	for name, a := range attributes {
		all[name] = a.value()
	}
	return all
}
