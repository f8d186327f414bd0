package ferretdb_test

import (
	"context"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
)

func TestDataSurvivesAStopAndAKill(t *testing.T) {
	server := ferretdb.Start(t)
	insert(t, server.URI, "stopped")
	server.Stop(t)

	server = ferretdb.StartIn(t, server.Dir)
	insert(t, server.URI, "killed")
	server.Kill()

	server = ferretdb.StartIn(t, server.Dir)
	documents := connect(t, server.URI)
	for _, id := range []string{"stopped", "killed"} {
		if err := documents.FindOne(t.Context(), bson.M{"_id": id}).Err(); err != nil {
			t.Errorf("the document from before the server was %s: %v", id, err)
		}
	}
}

func TestServersSideBySide(t *testing.T) {
	for _, name := range []string{"first", "second"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			insert(t, ferretdb.Start(t).URI, t.Name())
		})
	}
}

func connect(t *testing.T, uri string) *mongo.Collection {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client.Database("test").Collection("documents")
}

func insert(t *testing.T, uri, id string) {
	t.Helper()
	documents := connect(t, uri)
	if _, err := documents.InsertOne(t.Context(), bson.M{"_id": id}); err != nil {
		t.Fatal(err)
	}
	if err := documents.Database().Client().Disconnect(t.Context()); err != nil {
		t.Fatal(err)
	}
}
