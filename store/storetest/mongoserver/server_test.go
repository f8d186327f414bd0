package mongoserver

import (
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func TestTheURILosesItsDatabaseAlone(t *testing.T) {
	for uri, want := range map[string]string{
		"mongodb://127.0.0.1:27017":                                   "mongodb://127.0.0.1:27017/",
		"mongodb://127.0.0.1:27017/test":                              "mongodb://127.0.0.1:27017/",
		"mongodb://a:1,b:2/?replicaSet=rs0":                           "mongodb://a:1,b:2/?replicaSet=rs0",
		"mongodb://a:1?directConnection=true":                         "mongodb://a:1/?directConnection=true",
		"mongodb://u:p%40%2F@a:1,b:2/accounts?w=1":                    "mongodb://u:p%40%2F@a:1,b:2/?w=1&authSource=accounts",
		"mongodb://u:p@a/accounts?authSource=admin":                   "mongodb://u:p@a/?authSource=admin",
		"mongodb://u@a/accounts":                                      "mongodb://u@a/?authSource=accounts",
		"mongodb+srv://u:p@cluster.example.net/?retryWrites=true&w=1": "mongodb+srv://u:p@cluster.example.net/?retryWrites=true&w=1",
		"mongodb://%2Ftmp%2Fs.sock/x":                                 "mongodb://%2Ftmp%2Fs.sock/",
	} {
		got := parse(uri).withoutDatabase()
		if got != want {
			t.Errorf("%s becomes %s, want %s", uri, got, want)
		}
		if !strings.HasPrefix(uri, "mongodb+srv") { // which is looked up
			if err := options.Client().ApplyURI(got).Validate(); err != nil {
				t.Errorf("%s: %v", got, err)
			}
		}
	}
}

func TestThePasswordIsHidden(t *testing.T) {
	for uri, want := range map[string]string{
		"mongodb://a/":                 "mongodb://u:hunter%402@a/ hunter@2 admin",
		"mongodb://u:hunter%402@a/":    "mongodb://u:xxxxx@a/ xxxxx admin",
		"mongodb://u:admin@a/":         "mongodb://u:hunter%402@a/ hunter@2 admin",
		"mongodb://hunter%402:other@a": "mongodb://u:hunter%402@a/ hunter@2 admin",
	} {
		t.Setenv(Variable, uri)
		if got := Hide("mongodb://u:hunter%402@a/ hunter@2 admin"); got != want {
			t.Errorf("with %s: %s, want %s", uri, got, want)
		}
	}
	t.Setenv(Variable, "mongodb://u:admin@a/")
	if got := Hide("mongodb://u:admin@a/ of admin"); got != "mongodb://u:xxxxx@a/ of admin" {
		t.Errorf("a password that is a word: %s", got)
	}
}

func TestADatabaseIsOfOneTest(t *testing.T) {
	server := Start(t)
	var first, second *Database
	t.Run("in use", func(t *testing.T) {
		first, second = server.Database(t), server.Database(t)
		db := first.Connect(t)
		if _, err := db.Collection("c").InsertOne(t.Context(), bson.D{{Key: "_id", Value: 1}}); err != nil {
			t.Fatal(err)
		}
		if n, err := second.Connect(t).Collection("c").CountDocuments(t.Context(), bson.D{}); err != nil || n != 0 {
			t.Errorf("%d documents in another database: %v", n, err)
		}
	})
	left, err := second.Connect(t).Client().ListDatabaseNames(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	if dropped := !slices.Contains(left, first.Name); dropped != server.named {
		t.Errorf("the database is dropped: %t, and the server is shared: %t", dropped, server.named)
	}
}

func TestAnotherWayToTheSameDeployment(t *testing.T) {
	const uri = "mongodb://u:p@a:1,b:2/?replicaSet=rs0&authSource=admin"
	if got, want := Direct(uri, "b:2"), "mongodb://u:p@b:2/?directConnection=true&authSource=admin"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := InSet("mongodb://a:1/?directConnection=true", "rs1"), "mongodb://a:1/?replicaSet=rs1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
