package location

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/dynamo"
)

// The variables that name a DynamoDB: AWS's own, and the bot's.
const (
	dynamoVariable     = "AWS_ENDPOINT_URL_DYNAMODB"
	localstackVariable = "LOCALSTACK"
)

const (
	dynamoForm = "dynamodb:, dynamodb://us-west-2, dynamodb://us-west-2?endpoint=http://localhost:8000 or http://localhost:8000"

	// localstackEndpoint is where LocalStack listens, where the bot's variable only switches it on.
	localstackEndpoint = "http://localhost:4566"
)

// DynamoSettings are how a DynamoDB is reached, and how much of its capacity is taken.
type DynamoSettings struct {
	Consistent     bool // reads see all that was written before them
	MaxRCU, MaxWCU int  // capacity units a second; zero for any number
}

var dynamoScheme = Scheme{
	Schemes: []string{"dynamodb", "http", "https"}, Forms: []string{"dynamodb:", "dynamodb://REGION", "http://", "https://"},
	Check: func(at Location) error { _, err := dynamoPlaceOf(at); return err },
	Awaited: func(at Location) string {
		if p, err := dynamoPlaceOf(at); err == nil && p.endpoint != "" {
			return "waiting for DynamoDB at " + p.endpoint
		}
		return "waiting for DynamoDB"
	},
}

// dynamoNamed returns the DynamoDB that the flag names, or else a variable.
func dynamoNamed(flag string, env func(string) string) (Location, error) {
	p := Location{URI: Tidied(flag), From: "--dynamodb"}
	if p.URI == "" {
		p = Location{URI: Tidied(env(dynamoVariable)), From: dynamoVariable}
	}
	if p.URI == "" {
		if p = (Location{URI: Tidied(env(localstackVariable)), From: localstackVariable}); p.URI != "" && !strings.Contains(p.URI, ":") {
			p.URI = localstackEndpoint
		}
	}
	switch strings.ToLower(p.URI) {
	case "":
		return p, exit.WrongUse("no DynamoDB is named",
			"give --dynamodb dynamodb: for the AWS account that your environment names, or --dynamodb http://localhost:8000 for another server")
	case "dynamodb:":
		p.URI += "//"
	}
	return p, nil
}

// dynamoPlace is what the URI of a DynamoDB says.
type dynamoPlace struct {
	region, endpoint string // empty where the environment says it
}

var regionForm = regexp.MustCompile(`^[a-z]{2}(-[a-z0-9]+)+$`)

func dynamoPlaceOf(at Location) (p dynamoPlace, err error) {
	u, err := parseURI(at, dynamoForm)
	if err != nil {
		return p, err
	}
	wrong := func(what string) error { return exit.WrongUse(at.From+" "+what, "the forms are "+dynamoForm) }
	switch {
	case u.HasSecret() || u.User != "":
		return p, exit.WrongUse(at.From+" holds a user or a password, which no DynamoDB takes",
			"give credentials as AWS has them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role")
	case u.Scheme != "dynamodb":
		if u.Hosts == "" || strings.HasPrefix(u.Hosts, ":") || strings.Trim(u.Path, "/") != "" || u.Query != "" {
			return p, wrong("is no address of a server alone")
		}
		return dynamoPlace{endpoint: strings.TrimRight(at.URI, "/")}, nil
	case strings.Trim(u.Path, "/") != "":
		return p, wrong("names no region alone")
	case u.Hosts != "" && !regionForm.MatchString(u.Hosts):
		return p, exit.WrongUse(fmt.Sprintf("%s: %q is no region", at.From, u.Hosts), "a region is such as us-west-2; a server is named by http://localhost:8000")
	}
	p.region = u.Hosts
	query, _ := url.ParseQuery(u.Query)
	for name, values := range query {
		if name != "endpoint" || len(values) > 1 {
			return p, wrong("has a parameter that is none")
		}
		inner, err := dynamoPlaceOf(Location{URI: values[0], From: "the endpoint in " + at.From})
		if err != nil {
			return p, err
		}
		if inner.endpoint == "" {
			return p, wrong("has an endpoint that is no http:// or https:// address")
		}
		p.endpoint = inner.endpoint
	}
	return p, nil
}

// dynamo returns how a DynamoDB is opened. The AWS library itself reads the variables that name no location.
func (o TargetOptions) dynamo() (dynamo.Options, error) {
	p, err := dynamoPlaceOf(o.Location)
	return dynamo.Options{
		Region: p.region, Endpoint: p.endpoint, Tables: o.Kinds, Consistent: o.Consistent, MaxRCU: o.MaxRCU, MaxWCU: o.MaxWCU,
		Timeout: o.Timeout, RetryFor: o.RetryFor, Notify: o.Notify,
	}, err
}

// OpenDynamo opens the DynamoDB at the location for what is done to it beside copying. Its errors are explained.
func OpenDynamo(ctx context.Context, o TargetOptions) (*dynamo.Store, error) {
	options, err := o.dynamo()
	if err != nil {
		return nil, err
	}
	store, err := dynamo.Open(ctx, options)
	if err != nil {
		return nil, explainDynamo(err, o)
	}
	return store, nil
}

// CreateOptions say how tables are made.
type CreateOptions = dynamo.CreateOptions

// OwnTable is the table of a DynamoDB in which lanyardctl keeps what is its own.
const OwnTable = dynamo.OwnTable

// CreateTables makes tables of the DynamoDB at the location. Its errors are explained.
func CreateTables(ctx context.Context, o TargetOptions, c CreateOptions) ([]dynamo.CreatedTable, error) {
	options, err := o.dynamo()
	if err != nil {
		return nil, err
	}
	made, err := dynamo.CreateTables(ctx, options, c)
	if err != nil {
		err = explainDynamo(err, o)
		if _, explained := errors.AsType[*exit.Error](err); !explained {
			err = exit.Failure(err, "run the same command again, which makes what is left")
		}
	}
	return made, err
}

// describeDynamo says what the server is: "DynamoDB in us-west-2, 8 tables, about 1,234 items".
func describeDynamo(i dynamo.Info) string {
	where := "in " + i.Region
	if i.Endpoint != "" {
		where = "at " + redact.HideURI(i.Endpoint) + ", " + i.Region
	}
	var items int64
	for _, t := range i.Tables {
		items += t.Items
	}
	text := fmt.Sprintf("DynamoDB %s, %s", where, ui.Plural(int64(len(i.Tables)), "table"))
	if items > 0 { // new ones are counted after some hours
		text += ", about " + ui.Plural(items, "item")
	}
	return text
}

// explainDynamo gives an error of a DynamoDB its exit code and the next step.
func explainDynamo(err error, o TargetOptions) error {
	from := o.From
	var table *dynamo.TableError
	again := "run the same command again; a migration resumes"
	switch {
	case errors.Is(err, dynamo.ErrCredentials):
		return exit.Failure(err, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or log in (aws sso login); another server is named by --dynamodb http://localhost:8000")
	case errors.Is(err, dynamo.ErrExpired):
		return exit.Failure(err, "take new credentials, and "+again)
	case errors.Is(err, dynamo.ErrAuth):
		return exit.Failure(err, "check the credentials, and whether they are of the account and the region that "+from+" means")
	case errors.Is(err, dynamo.ErrPermission):
		return exit.Failure(err, "let the user or the role do it (docs/dynamodb.md lists all actions that are needed), and "+again)
	case errors.As(err, &table) && errors.Is(err, dynamo.ErrNoTable):
		return exit.Failure(err, "are the region and the account right? lanyardctl dynamodb create-tables makes those of the bot; migrate and verify take --tables, which leaves tables out")
	case errors.Is(err, dynamo.ErrKeySchema):
		return exit.Failure(err, "is it the bot's table? migrate and verify copy another table of that name by --table NAME=COLLECTION, into a collection of another name")
	case errors.Is(err, dynamo.ErrNoTable):
		return exit.Failure(err, "was the table deleted meanwhile? See to it that it is there, then run the same command again")
	case errors.Is(err, dynamo.ErrConfiguration), errors.Is(err, dynamo.ErrEndpoint):
		return exit.Failure(err, "check "+from+", and AWS's own files and variables")
	case errors.Is(err, dynamo.ErrTableLimit):
		return exit.Failure(err, again+"; where the account has as many tables as it may have, AWS raises its quota on request")
	case errors.Is(err, dynamo.ErrThrottled):
		return exit.Failure(err, "the tables' capacity is used up: --retry-for waits longer, and the --max-rcu and --max-wcu of migrate and verify leave some to the bot; "+again)
	case errors.Is(err, dynamo.ErrUnreachable):
		return exit.Failure(err, fmt.Sprintf("is the server running, and is %s right? (waited at most %s; --timeout waits longer)", from, o.Timeout))
	case errors.Is(err, record.ErrUnavailable):
		return exit.Failure(err, "run the same command again once the server answers")
	}
	return err
}
