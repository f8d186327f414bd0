package location

import (
	"testing"

	"github.com/lanyardctl/lanyardctl/internal/exit/exittest"
)

func TestDynamoPlaces(t *testing.T) {
	for name, tc := range map[string]struct {
		flag string
		env  []string
		want dynamoPlace
	}{
		"the environment's":          {"dynamodb:", nil, dynamoPlace{}},
		"a region":                   {"dynamodb://eu-west-1", nil, dynamoPlace{region: "eu-west-1"}},
		"a server":                   {"http://127.0.0.1:8000/", nil, dynamoPlace{endpoint: "http://127.0.0.1:8000"}},
		"a server and a region":      {"dynamodb://us-gov-west-1?endpoint=https://h:1", nil, dynamoPlace{"us-gov-west-1", "https://h:1"}},
		"AWS's own variable":         {"", []string{"AWS_ENDPOINT_URL_DYNAMODB", "http://h:1", "LOCALSTACK", "http://h:2"}, dynamoPlace{endpoint: "http://h:1"}},
		"the bot's variable":         {"", []string{"LOCALSTACK", "http://h:2"}, dynamoPlace{endpoint: "http://h:2"}},
		"the bot's variable, a word": {"", []string{"LOCALSTACK", "true"}, dynamoPlace{endpoint: "http://localhost:4566"}},
		"the flag before variables":  {"dynamodb:", []string{"LOCALSTACK", "true"}, dynamoPlace{}},
	} {
		at, err := Tables().ResolveSource(tc.flag, exittest.Environment(tc.env...))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := dynamoPlaceOf(at); err != nil || got != tc.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, tc := range map[string]struct {
		flag, secret string
		parts        []string
	}{
		"nothing":                   {"", "", []string{"no DynamoDB is named", "--dynamodb dynamodb:"}},
		"a password":                {"http://u:hunter2@h", "hunter2", []string{"holds a user or a password", "AWS_ACCESS_KEY_ID"}},
		"a password in an endpoint": {"dynamodb://eu-west-1?endpoint=http://u:hunter2@h", "hunter2", []string{"no valid URI"}},
		"no region":                 {"dynamodb://us_west", "", []string{`"us_west" is no region`}},
		"a table":                   {"dynamodb://eu-west-1/remember", "", []string{"names no region alone"}},
		"a path":                    {"http://h:1/x", "", []string{"no address of a server alone"}},
		"an unknown parameter":      {"dynamodb://eu-west-1?table=x", "", []string{"a parameter that is none"}},
		"an endpoint that is none":  {"dynamodb://eu-west-1?endpoint=dynamodb://eu-west-1", "", []string{"an endpoint that is no http://"}},
		"a Redis":                   {"redis://h", "", []string{`unknown scheme "redis"`, "dynamodb://REGION"}},
	} {
		_, err := TablesBack().ResolveTarget(tc.flag, exittest.Environment())
		t.Run(name, func(t *testing.T) { exittest.WrongUse(t, err, tc.secret, tc.parts...) })
	}
}

func TestWhichStoreOfItemsIsMeant(t *testing.T) {
	for name, tc := range map[string]struct {
		dynamodb, mongo string
		env             []string
		want            string
	}{
		"a DynamoDB":              {"http://h:1", "", []string{"MONGODB_URI", "mongodb://m"}, "http://h:1"},
		"a MongoDB":               {"", "mongodb://m", []string{"LOCALSTACK", "true"}, "mongodb://m"},
		"a folder":                {"", "embedded:x", nil, "embedded:x"},
		"that of the environment": {"", "", []string{"MONGODB_URI", "mongodb://m"}, "mongodb://m"},
		"the other one of it":     {"", "", []string{"LOCALSTACK", "http://h:1"}, "http://h:1"},
	} {
		at, err := ResolveItems(Items(), tc.dynamodb, tc.mongo, exittest.Environment(tc.env...))
		if err != nil || at.URI != tc.want || IsDynamo(at) != (tc.want == "http://h:1") {
			t.Errorf("%s: %+v, %v", name, at, err)
		}
	}
	for name, tc := range map[string]struct {
		dynamodb, mongo string
		env             []string
		part            string
	}{
		"both":                    {"http://h:1", "mongodb://m", nil, "name two places"},
		"both of the environment": {"", "", []string{"MONGODB_URI", "mongodb://m", "LOCALSTACK", "true"}, "which is meant?"},
		"neither":                 {"", "", nil, "neither a DynamoDB nor a MongoDB is named"},
	} {
		_, err := ResolveItems(Items(), tc.dynamodb, tc.mongo, exittest.Environment(tc.env...))
		t.Run(name, func(t *testing.T) { exittest.WrongUse(t, err, "", tc.part) })
	}
}
