package dynamo

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/smithy-go"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/dynamoserver"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	server := serve(t, kinds(record.Remember, record.Play))
	s := openAt(t, server.URI, kinds(record.Remember, record.Play))
	info := s.Info()
	if info.Endpoint != server.URI || info.Region == "" || len(info.Tables) != 2 {
		t.Fatalf("%+v", info)
	}
	remember := info.Tables[0]
	if keysText(remember.Keys) != "discord_server_id (N), rem_key (S)" || remember.Billing != "PAY_PER_REQUEST" ||
		remember.ID == "" || remember.ARN == "" || remember.Created.IsZero() {
		t.Errorf("%+v", remember)
	}
	if keys := s.Keys(record.Play); keysText(keys) != "discord_server_id (N)" {
		t.Errorf("keys of play: %s", keysText(keys))
	}
	contents, err := s.Contents(t.Context(), kinds(record.Play))
	if _, has := contents[record.Play]; err != nil || !has {
		t.Errorf("contents %v: %v", contents, err)
	}
}

func TestOpenLearnsTheKeyOfAnotherTable(t *testing.T) {
	t.Parallel()
	server := dynamoserver.New(t)
	kind, err := record.DefineTable("ratings", "")
	if err != nil {
		t.Fatal(err)
	}
	server.Create(t, record.Table{Name: "ratings", Keys: []record.Attribute{{Name: "at", Type: record.BinaryType}, {Name: "n", Type: record.NumberType}}})
	if keys := openAt(t, server.URI, kinds(kind)).Keys(kind); keysText(keys) != "at (B), n (N)" {
		t.Errorf("keys: %s", keysText(keys))
	}
}

func TestOpenTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	server := dynamoserver.New(t)
	server.Create(t, record.Table{Name: "play", Keys: []record.Attribute{{Name: "discord_server_id", Type: record.TextType}}})
	proxy := dynamoserver.NewProxy(t, server)
	nobody := "http://" + storetest.NobodyAt(t)
	for name, c := range map[string]struct {
		endpoint string
		fault    dynamoserver.Fault
		tables   record.Kinds
		want     error
		says     string
	}{
		"tables that are not there": {proxy.URI, "", kinds(record.Remember, record.BotData), ErrNoTable, "remember, botdata in DynamoDB at " + proxy.URI},
		"another key":               {proxy.URI, "", kinds(record.Play), ErrKeySchema, "play has the key discord_server_id (S), and not discord_server_id (N)"},
		"expired":                   {proxy.URI, dynamoserver.Expired, kinds(record.Play), ErrExpired, "DescribeTable of the table play"},
		"not permitted":             {proxy.URI, dynamoserver.Denied, kinds(record.Play), ErrPermission, "DescribeTable of the table play"},
		"unavailable":               {proxy.URI, dynamoserver.Unavailable, kinds(record.Play), record.ErrUnavailable, "HTTP"},
		"a page for people":         {proxy.URI, dynamoserver.Page, kinds(record.Play), record.ErrUnavailable, "HTTP status 502"},
		"nobody there":              {nobody, "", kinds(record.Play), ErrUnreachable, "connection refused"},
		"no URL":                    {"127.0.0.1:8000", "", kinds(record.Play), ErrEndpoint, ""},
		"another protocol":          {"redis://u:hunter2@127.0.0.1", "", kinds(record.Play), ErrEndpoint, ""},
		"a password":                {"http://u:hunter2@127.0.0.1", "", kinds(record.Play), ErrEndpoint, ""},
	} {
		proxy.Decide(func(dynamoserver.Call) dynamoserver.Fault { return c.fault })
		begun := time.Now()
		_, err := Open(t.Context(), Options{Endpoint: c.endpoint, Tables: c.tables})
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
		if unavailable := errors.Is(err, record.ErrUnavailable); unavailable != (c.want == ErrUnreachable || c.want == record.ErrUnavailable) {
			t.Errorf("%s is unavailable: %v", name, unavailable)
		}
		if took := time.Since(begun); took > DefaultTimeout {
			t.Errorf("%s took %s", name, took)
		}
	}
}

func TestATableThatIsNotReady(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"CREATING", "DELETING"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"Table":{"TableName":"play","TableStatus":"`+status+`","KeySchema":[{"AttributeName":"discord_server_id","KeyType":"HASH"}],`+
				`"AttributeDefinitions":[{"AttributeName":"discord_server_id","AttributeType":"N"}]}}`)
		}))
		_, err := Open(t.Context(), Options{Endpoint: server.URL, Tables: kinds(record.Play)})
		server.Close()
		if !errors.Is(err, ErrTableStatus) || !strings.Contains(err.Error(), "play is "+status) {
			t.Errorf("%s: %v", status, err)
		}
	}
}

func TestASilentServerIsNotWaitedForToBeOpened(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes connections, and nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	begun := time.Now()
	_, err = Open(t.Context(), Options{
		Endpoint: "http://" + silent.Addr().String(), Tables: kinds(record.Play), Timeout: 3 * time.Second,
	})
	took := time.Since(begun)
	if !errors.Is(err, ErrUnreachable) || !strings.HasSuffix(err.Error(), "no answer in time") || took >= DefaultTimeout {
		t.Errorf("after %s: %v", took, err)
	}
}

func TestTheActionThatIsNotPermittedIsNamed(t *testing.T) {
	t.Parallel()
	denied := &smithy.GenericAPIError{
		Code: "AccessDeniedException", Message: "User: arn:aws:iam::1:user/u is not authorized to perform: dynamodb:Scan on resource: arn:aws:dynamodb:x",
	}
	if got := failed("Scan", "play", denied).Error(); got != "Scan of the table play: DynamoDB does not let the user do this: AccessDeniedException: dynamodb:Scan" {
		t.Error(got)
	}
	refused := &smithy.GenericAPIError{Code: "ValidationException", Message: "an item of theirs"}
	if got := failed("PutItem", "play", refused).Error(); strings.Contains(got, "theirs") {
		t.Error(got)
	}
}

// noCredentials has the process without any, and the metadata service of a machine answered by handle. It returns how often
// that was asked.
func noCredentials(t *testing.T, handle http.HandlerFunc) *atomic.Int64 {
	t.Helper()
	var asked atomic.Int64
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		handle(w, r)
	}))
	t.Cleanup(metadata.Close)
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED",
		"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
	} {
		t.Setenv(name, "") // restored afterwards
		_ = os.Unsetenv(name)
	}
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.URL)
	return &asked
}

func TestAServerOnThisMachineNeedsNoCredentials(t *testing.T) {
	server := serve(t, kinds(record.Play))
	asked := noCredentials(t, http.NotFound)
	s := openAt(t, server.URI, kinds(record.Play))
	if n := asked.Load(); n != 0 || s.Info().Region != DefaultRegion {
		t.Errorf("the metadata service was asked %d times, the region is %s", n, s.Info().Region)
	}
	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", server.URI)
	if s := openAt(t, "", kinds(record.Play)); asked.Load() != 0 || s.Info().Endpoint != server.URI {
		t.Errorf("by the environment: asked %d times, %+v", asked.Load(), s.Info())
	}
}

func TestThereAreNoCredentials(t *testing.T) {
	for name, handle := range map[string]http.HandlerFunc{
		"the metadata service has none": http.NotFound,
		"it is silent":                  func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			asked := noCredentials(t, handle)
			const timeout = 3 * time.Second
			const most = timeout + 2*time.Second // by itself, the SDK takes a little more
			took := time.Hour
			for tries := 0; tries < 3 && took > most; tries++ { // a busy machine may take more, too, but not each time
				begun := time.Now()
				_, err := Open(t.Context(), Options{Tables: kinds(record.Play), Timeout: timeout})
				if !errors.Is(err, ErrCredentials) || errors.Is(err, record.ErrUnavailable) || asked.Load() == 0 {
					t.Errorf("asked %d times: %v", asked.Load(), err)
				}
				took = time.Since(begun)
			}
			if took > most {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestSecretsAreInNoError(t *testing.T) {
	noCredentials(t, http.NotFound)
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "AKIDHUNTER2", "AWS_SECRET_ACCESS_KEY": "secrethunter2", "AWS_SESSION_TOKEN": "tokenhunter2"} {
		t.Setenv(name, value)
	}
	quoting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"The Canonical String was x-amz-security-token:` +
			r.Header.Get("X-Amz-Security-Token") + ` ` + r.Header.Get("Authorization") + `"}`))
	}))
	defer quoting.Close()
	_, err := Open(t.Context(), Options{Endpoint: quoting.URL, Tables: kinds(record.Play)})
	if !errors.Is(err, ErrAuth) || strings.Contains(strings.ToLower(err.Error()), "hunter2") {
		t.Errorf("%v", err)
	}
}

// profile has the process take its credentials by the profile, of a file with the lines.
func profile(t *testing.T, name string, lines ...string) {
	t.Helper()
	noCredentials(t, http.NotFound)
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", file)
	t.Setenv("AWS_PROFILE", name)
}

func TestWhatACredentialProcessPrintsIsShownInNoError(t *testing.T) {
	script := filepath.Join(t.TempDir(), "credentials")
	const banner = "#!/bin/sh\necho 'Welcome to the login of hunter2'\n" +
		`echo '{"Version": 1, "AccessKeyId": "AKIDHUNTER2", "SecretAccessKey": "secrethunter2"}'` + "\n"
	if err := os.WriteFile(script, []byte(banner), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"process", "role"} {
		t.Run(name, func(t *testing.T) {
			profile(t, name, "[profile process]", "credential_process = "+script,
				"[profile role]", "role_arn = arn:aws:iam::000000000000:role/bot", "source_profile = process")
			_, err := Open(t.Context(), Options{Tables: kinds(record.Play)})
			if !errors.Is(err, ErrCredentials) || !strings.HasSuffix(err.Error(), ": the credential_process of the profile failed") {
				t.Errorf("%v", err)
			}
			if again := failed("Scan", "play", err).Error(); strings.Contains(strings.ToLower(again), "hunter2") {
				t.Error(again)
			}
		})
	}
}

func TestARoleIsAskedForInTheDefaultRegion(t *testing.T) {
	profile(t, "role", "[profile role]", "role_arn = arn:aws:iam::000000000000:role/bot", "source_profile = user",
		"[profile user]", "aws_access_key_id = AKIDHUNTER2", "aws_secret_access_key = secrethunter2", "aws_session_token = tokenhunter2")
	var signed atomic.Value
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signed.Store(r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>The Canonical String was x-amz-security-token:`+
			r.Header.Get("X-Amz-Security-Token")+`</Message></Error></ErrorResponse>`)
	}))
	defer sts.Close()
	t.Setenv("AWS_ENDPOINT_URL_STS", sts.URL)
	_, err := Open(t.Context(), Options{Tables: kinds(record.Play)})
	if by, _ := signed.Load().(string); !strings.Contains(by, "/"+DefaultRegion+"/sts/") {
		t.Errorf("signed by %s", by)
	}
	if !errors.Is(err, ErrCredentials) || !strings.HasSuffix(err.Error(), ": SignatureDoesNotMatch") {
		t.Errorf("%v", err)
	}
}

func TestCredentialsThatCannotBeRefreshedForAMomentAreWaitedFor(t *testing.T) {
	server := serve(t, kinds(record.Play))
	noCredentials(t, http.NotFound)
	var failures, asked atomic.Int64
	container := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if failures.Add(-1) >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{"AccessKeyId":"AKIDEXAMPLE","SecretAccessKey":"example","Token":"example","Expiration":"`+
			time.Now().Add(-time.Second).UTC().Format(time.RFC3339)+`"}`)
	}))
	defer container.Close()
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", container.URL)
	told := make(chan string, 1)
	s := openAt(t, server.URI, kinds(record.Play), func(o *Options) { o.Notify = func(message string) { told <- message } })
	failures.Store(10) // more than the SDK tries for a request
	if _, err := s.describeTable(t.Context(), "play"); err != nil {
		t.Fatalf("asked %d times: %v", asked.Load(), err)
	}
	select {
	case message := <-told:
		if !strings.Contains(message, "server unavailable: the credentials could not be refreshed: the server failed") {
			t.Error(message)
		}
	default:
		t.Errorf("nobody was told of %d failures", asked.Load())
	}
	container.Close()
	s.opts.RetryFor = time.Second
	s.told.Store(time.Now().UnixNano())
	if _, err := s.describeTable(t.Context(), "play"); !errors.Is(err, record.ErrGivenUp) || errors.Is(err, ErrCredentials) {
		t.Errorf("nobody gives credentials: %v", err)
	}
}

func TestAFileOfCredentialsThatIsNotThereIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	_, missing := os.ReadFile(filepath.Join(t.TempDir(), "token"))
	if err := failed("Scan", "play", &credentialsError{missing}); !errors.Is(err, ErrCredentials) || errors.Is(err, record.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

func TestWhatDynamoDBRefusesIsSaidWithoutValues(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"1 validation error detected: Item size to update has exceeded the maximum allowed size":                      "ValidationException: Item size to update has exceeded the maximum allowed size",
		"Invalid UpdateExpression: Expression size has exceeded the maximum allowed size; expression size: 5000":      "ValidationException: Expression size has exceeded the maximum allowed size",
		"The AttributeValue for a key attribute cannot contain an empty string value. Key: theirs":                    "ValidationException: key attribute cannot contain an empty string value",
		"One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes": "ValidationException: Size of hashkey has exceeded the maximum size limit",
		"Number overflow. Attempting to store a number with magnitude larger than supported range":                    "ValidationException: Attempting to store a number with magnitude larger than supported range",
		"The parameter cannot be converted to a numeric value: theirs":                                                "ValidationException",
	} {
		err := failed("PutItem", "play", &smithy.GenericAPIError{Code: "ValidationException", Message: message})
		if words, theirs := refusedItem(err); !theirs || words != want || !strings.HasSuffix(err.Error(), ": "+want) {
			t.Errorf("%s: %s, %v", message, words, err)
		}
	}
	full := &smithy.GenericAPIError{Code: "LimitExceededException", Message: "Subscriber limit exceeded"}
	if err := failed("CreateTable", "play", full); !errors.Is(err, ErrTableLimit) || !errors.Is(err, record.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	denied := &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "User: arn:aws:iam::1:user/u is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:x"}
	if err := failed("Scan", "play", denied); !strings.HasSuffix(err.Error(), "AccessDeniedException: kms:Decrypt") {
		t.Errorf("%v", err)
	}
}
