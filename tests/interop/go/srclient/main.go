// Registers, looks up, compares, encodes and deletes with srclient, and passes what it
// encodes through Kafka with franz-go.
// Arguments: the URL of the registry, host:port of the broker.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"reflect"
	"time"

	"github.com/riferrei/srclient"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	v1  = `{"type":"record","name":"Student","fields":[{"name":"first","type":["null","string"]}]}`
	v2  = `{"type":"record","name":"Student","fields":[{"name":"first","type":["null","string"]},{"name":"age","type":"int","default":0}]}`
	bad = `{"type":"record","name":"Student","fields":[{"name":"other","type":"string"}]}`

	class = `{"type":"record","name":"Class","fields":[{"name":"s","type":"Student"}]}`
	item  = `{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}`
	trip  = "syntax = \"proto3\";\npackage trip;\n\nmessage Trip {\n  int32 n = 1;\n}\n"

	subject = "students-value"
	topic   = "avro-trip"
)

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func check(what string, got, expected any) {
	if !reflect.DeepEqual(got, expected) {
		fmt.Fprintf(os.Stderr, "%s: %v and not %v\n", what, got, expected)
		os.Exit(1)
	}
}

func refused(what string, err error, code int) {
	var refusal srclient.Error
	if !errors.As(err, &refusal) {
		check(what, err, "refused")
	}
	check(what, refusal.Code, code)
}

func main() {
	url, broker := os.Args[1], os.Args[2]
	registry(url)
	otherTypes(url)
	roundTrip(url, broker)
	fmt.Println("all done")
}

func registry(url string) {
	client := srclient.NewSchemaRegistryClient(url)
	_, err := client.GetLatestSchema(subject)
	refused("unknown", err, 40401)
	_, err = client.GetSchema(1000)
	refused("unknown", err, 40403)
	first := must(client.CreateSchema(subject, v1, srclient.Avro))
	check("again", must(client.CreateSchema(subject, v1, srclient.Avro)).ID(), first.ID())
	second := must(client.CreateSchema(subject, v2, srclient.Avro))
	_, err = client.CreateSchema(subject, bad, srclient.Avro)
	refused("incompatible", err, 409)

	// Nothing from the cache from here on.
	client.CachingEnabled(false)
	check("by id", must(client.GetSchema(first.ID())).Schema(), v1)
	latest := must(client.GetLatestSchema(subject))
	check("latest", []int{latest.ID(), latest.Version()}, []int{second.ID(), 2})
	check("of version", must(client.GetSchemaByVersion(subject, 1)).ID(), first.ID())
	check("lookup", must(client.LookupSchema(subject, v1, srclient.Avro)).Version(), 1)
	_, err = client.LookupSchema(subject, bad, srclient.Avro)
	refused("lookup", err, 40403)
	check("subjects", must(client.GetSubjects()), []string{subject})
	check("versions", must(client.GetSchemaVersions(subject)), []int{1, 2})
	where := must(client.GetSubjectVersionsById(second.ID()))
	check("where", []any{len(where), where[0].Subject, where[0].Version}, []any{1, subject, 2})

	check("good", must(client.IsSchemaCompatible(subject, v2, "latest", srclient.Avro)), true)
	check("bad", must(client.IsSchemaCompatible(subject, bad, "1", srclient.Avro)), false)
	check("level", *must(client.GetGlobalCompatibilityLevel()), srclient.Backward)
	check("level", *must(client.GetCompatibilityLevel(subject, true)), srclient.Backward)
	_, err = client.GetCompatibilityLevel(subject, false)
	refused("level", err, 40408)
	check("level", *must(client.ChangeSubjectCompatibilityLevel(subject, srclient.Full)), srclient.Full)
	check("level", *must(client.GetCompatibilityLevel(subject, false)), srclient.Full)
	must(client.DeleteSubjectCompatibilityLevel(subject))
	check("level", *must(client.GetCompatibilityLevel(subject, true)), srclient.Backward)

	reference := srclient.Reference{Name: "Student", Subject: subject, Version: 1}
	client.CodecCreationEnabled(false)
	must(client.CreateSchema("class-value", class, srclient.Avro, reference))
	stored := must(client.GetLatestSchema("class-value"))
	check("references", stored.References(), []srclient.Reference{reference})
	refused("referenced", client.DeleteSubjectByVersion(subject, 1, false), 42206)
	check("deleted", client.DeleteSubject("class-value", false), nil)
	check("deleted", client.DeleteSubject("class-value", true), nil)
	check("deleted", client.DeleteSubjectByVersion(subject, 2, true), nil)
	check("versions", must(client.GetSchemaVersions(subject)), []int{1})
	check("deleted", client.DeleteSubject(subject, false), nil)
	check("subjects", must(client.GetSubjects()), []string{})
	check("subjects", must(client.GetSubjectsIncludingDeleted()), []string{subject})
}

func otherTypes(url string) {
	client := srclient.NewSchemaRegistryClient(url)
	items := must(client.CreateSchema("item-value", item, srclient.Json))
	check("type", *items.SchemaType(), srclient.Json)
	check("valid", items.JsonSchema().Validate(map[string]any{"n": 7}), nil)
	if items.JsonSchema().Validate(map[string]any{}) == nil {
		check("item", "valid", "not valid")
	}
	trips := must(client.CreateSchema("trip-value", trip, srclient.Protobuf))
	check("type", *trips.SchemaType(), srclient.Protobuf)
	check("text", trips.Schema(), trip)
	check("lookup", must(client.LookupSchema("trip-value", trip, srclient.Protobuf)).ID(), trips.ID())
}

// roundTrip frames and encodes by hand, as srclient's manual tells.
func roundTrip(url, broker string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	schema := must(srclient.NewSchemaRegistryClient(url).CreateSchema(topic+"-value", v2, srclient.Avro))
	native, _, err := schema.Codec().NativeFromTextual([]byte(`{"first":{"string":"Ian"},"age":20}`))
	value := binary.BigEndian.AppendUint32([]byte{0}, uint32(schema.ID()))
	value = must(schema.Codec().BinaryFromNative(value, must(native, err)))

	kafka := must(kgo.NewClient(
		kgo.SeedBrokers(broker), kgo.AllowAutoTopicCreation(), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	))
	defer kafka.Close()
	must(0, kafka.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: value}).FirstErr())
	var got []*kgo.Record
	for len(got) == 0 {
		fetches := kafka.PollFetches(ctx)
		must(0, ctx.Err())
		got = fetches.Records()
	}

	read := got[0].Value
	check("magic byte", read[0], byte(0))
	reader := must(srclient.NewSchemaRegistryClient(url).GetSchema(int(binary.BigEndian.Uint32(read[1:5]))))
	native, _, err = reader.Codec().NativeFromBinary(read[5:])
	expected := map[string]any{"first": map[string]any{"string": "Ian"}, "age": int32(20)}
	check("record", must(native, err), any(expected))
}
