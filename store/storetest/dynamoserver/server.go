package dynamoserver

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gofrs/flock"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/storetest/child"
)

// patience is how long a server may take to start, also on a busy machine.
const patience = time.Minute

// Any credentials will do for dynalite, which knows no accounts.
const (
	Region          = "us-west-2"
	AccessKeyID     = "AKIDEXAMPLE"
	SecretAccessKey = "wJalrXUtnFEMIexamplesecretkey"
)

// Server is a running dynalite.
type Server struct {
	URI string // "http://127.0.0.1:port"

	cmd    *exec.Cmd
	exited <-chan struct{} // closed once the process has ended
}

// New returns a server without tables once it answers.
func New(t testing.TB) *Server {
	t.Helper()
	module, err := install()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	stdout, stdoutWriter, err := os.Pipe()
	if err != nil {
		t.Fatalf("start dynalite: %v", err)
	}
	defer stdout.Close()
	var stderr bytes.Buffer
	s := &Server{cmd: exec.Command("node", filepath.Join(module, "tools", "dynalite.js"), "0")}
	s.cmd.Stdout, s.cmd.Stderr = stdoutWriter, &stderr
	s.exited, err = child.Start(s.cmd)
	_ = stdoutWriter.Close()
	if err != nil {
		t.Fatalf("start dynalite: %v", err)
	}
	t.Cleanup(s.Kill)
	if err := stdout.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatalf("start dynalite: %v", err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		s.Kill()
		if errors.Is(err, io.EOF) {
			err = errors.New("it ended without printing its URL")
		}
		t.Fatalf("start dynalite: %v\n%s", err, &stderr)
	}
	s.URI = strings.TrimSpace(line)
	return s
}

// install makes sure of dynalite, once a process, and returns the folder of the module.
var install = sync.OnceValues(func() (string, error) {
	goMod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	module := filepath.Dir(strings.TrimSpace(string(goMod)))
	// go test runs packages side by side.
	lock := flock.New(filepath.Join(module, "tools", "package-lock.json"))
	if err := lock.Lock(); err != nil {
		return "", err
	}
	defer lock.Unlock()
	if out, err := exec.Command(filepath.Join(module, "scripts", "dynalite")).CombinedOutput(); err != nil {
		return "", fmt.Errorf("scripts/dynalite: %w\n%s", err, out)
	}
	return module, nil
})

// Kill ends the server at once, with all that it holds, and returns when it is gone.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // fails where it is gone
	<-s.exited
}

// Client returns a plain client of the server, with the SDK's defaults. Its connections end with the test.
func (s *Server) Client(t testing.TB) *dynamodb.Client {
	t.Helper()
	return Client(t, s.URI)
}

// Client is [Server.Client] for whatever answers at the URL.
func Client(t testing.TB, url string) *dynamodb.Client {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	return dynamodb.New(dynamodb.Options{
		BaseEndpoint: aws.String(url),
		Region:       Region,
		Credentials:  credentials.NewStaticCredentialsProvider(AccessKeyID, SecretAccessKey, ""),
		HTTPClient:   &http.Client{Transport: transport},
	})
}

// Env returns the variables that give lanyardctl the server's endpoint, with credentials and a region.
func (s *Server) Env() []string {
	return append(Credentials(), "AWS_ENDPOINT_URL_DYNAMODB="+s.URI)
}

// Credentials returns variables of the environment that give lanyardctl credentials and a region, and keep it from
// looking for others.
func Credentials() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + SecretAccessKey, "AWS_REGION=" + Region,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
	}
}

// BotTables returns the tables of the bot.
func BotTables() []record.Table {
	var list []record.Table
	for _, kind := range record.BotTables.List() {
		table, _ := kind.Table()
		list = append(list, table)
	}
	return list
}

// Create makes tables, which are paid for by the request, and returns once they are there. A table has Name and Keys.
func (s *Server) Create(t testing.TB, tables ...record.Table) {
	t.Helper()
	client := s.Client(t)
	for _, table := range tables {
		input := &dynamodb.CreateTableInput{TableName: aws.String(table.Name), BillingMode: types.BillingModePayPerRequest}
		for i, key := range table.Keys {
			role := types.KeyTypeHash
			if i > 0 {
				role = types.KeyTypeRange
			}
			input.KeySchema = append(input.KeySchema, types.KeySchemaElement{AttributeName: aws.String(key.Name), KeyType: role})
			input.AttributeDefinitions = append(input.AttributeDefinitions,
				types.AttributeDefinition{AttributeName: aws.String(key.Name), AttributeType: types.ScalarAttributeType(key.Type)})
		}
		if _, err := client.CreateTable(t.Context(), input); err != nil {
			t.Fatalf("create the table %s: %v", table.Name, err)
		}
		err := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay, o.MaxDelay = time.Millisecond, time.Second }).
			Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String(table.Name)}, patience)
		if err != nil {
			t.Fatalf("wait for the table %s: %v", table.Name, err)
		}
	}
}
