// Registers, evolves, writes and reads with confluent-kafka-go and the serializers of its
// registry client.
// Arguments: the URL of the registry, host:port of the broker.
package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/rest"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde/avrov2"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde/jsonschema"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde/protobuf"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"
)

const (
	v1    = `{"type":"record","name":"Student","fields":[{"name":"first","type":["null","string"]}]}`
	v2    = `{"type":"record","name":"Student","fields":[{"name":"first","type":["null","string"]},{"name":"age","type":"int","default":0}]}`
	bad   = `{"type":"record","name":"Student","fields":[{"name":"other","type":"string"}]}`
	class = `{"type":"record","name":"Class","fields":[{"name":"s","type":"Student"}]}`

	subject = "students-value"
)

type Student struct {
	First string `avro:"first" json:"first"`
	Age   int    `avro:"age" json:"age"`
}

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
	var refusal *rest.Error
	if !errors.As(err, &refusal) {
		check(what, err, "refused")
	}
	check(what, refusal.Code, code)
}

func avro(text string) schemaregistry.SchemaInfo {
	return schemaregistry.SchemaInfo{Schema: text}
}

func connect(url string) schemaregistry.Client {
	return must(schemaregistry.NewClient(schemaregistry.NewConfig(url)))
}

func main() {
	url, broker := os.Args[1], os.Args[2]
	registry(url)
	roundTrips(url, broker)
	idInHeader(url)
	fmt.Println("all done")
}

func registry(url string) {
	client := connect(url)
	_, err := client.GetLatestSchemaMetadata("unknown")
	refused("unknown", err, 40401)
	first := must(client.Register(subject, avro(v1), false))
	second := must(client.Register(subject, avro(v2), false))
	check("id", second > first, true)
	_, err = client.Register(subject, avro(bad), false)
	refused("incompatible", err, 409)

	// What another program sees, which has nothing in its cache.
	client = connect(url)
	again := must(client.RegisterFullResponse(subject, avro(v1), false))
	check("again", again.ID, first)
	check("lookup", must(client.GetID(subject, avro(v2), false)), second)
	check("version", must(client.GetVersion(subject, avro(v2), true)), 2)
	check("by id", must(client.GetBySubjectAndID(subject, second)).Schema, v2)
	latest := must(client.GetLatestSchemaMetadata(subject))
	check("latest", []any{latest.ID, latest.Version, latest.Schema}, []any{second, 2, v2})
	check("of version", must(client.GetSchemaMetadata(subject, 1)).ID, first)
	where := must(client.GetSubjectsAndVersionsByID(second))
	check("where", []any{len(where), where[0].Subject, where[0].Version}, []any{1, subject, 2})
	check("subjects", must(client.GetAllSubjects()), []string{subject})
	check("versions", must(client.GetAllVersions(subject)), []int{1, 2})
	check("contexts", must(client.GetAllContexts()), []string{"."})

	check("good", must(client.TestSubjectCompatibility(subject, avro(v2))), true)
	check("bad", must(client.TestSubjectCompatibility(subject, avro(bad))), false)
	check("bad", must(client.TestCompatibility(subject, 1, avro(bad))), false)
	check("level", must(client.GetDefaultCompatibility()) == schemaregistry.Backward, true)
	check("level", must(client.UpdateCompatibility(subject, schemaregistry.Full)) == schemaregistry.Full, true)
	check("level", must(client.GetCompatibility(subject)) == schemaregistry.Full, true)
	config := schemaregistry.ServerConfig{Normalize: true, CompatibilityUpdate: schemaregistry.Backward}
	check("config", must(client.UpdateConfig(subject, config)).Normalize, true)
	check("config", must(client.GetConfig(subject, true)).CompatibilityLevel == schemaregistry.Backward, true)

	reference := schemaregistry.Reference{Name: "Student", Subject: subject, Version: 1}
	info := avro(class)
	info.References = []schemaregistry.Reference{reference}
	must(client.Register("class-value", info, false))
	check("references", must(client.GetLatestSchemaMetadata("class-value")).References, info.References)
	_, err = client.DeleteSubjectVersion(subject, 1, false)
	refused("referenced", err, 42206)

	info = avro(v1)
	info.Metadata = &schemaregistry.Metadata{Properties: map[string]string{"owner": "school"}}
	tagged := must(client.RegisterFullResponse("tagged-value", info, false))
	check("metadata", tagged.Metadata, info.Metadata)
	found := must(client.GetLatestWithMetadata("tagged-value", info.Metadata.Properties, false))
	check("metadata", found.ID, tagged.ID)

	check("deleted", must(client.DeleteSubjectVersion(subject, 2, false)), 2)
	check("deleted", must(client.GetSchemaMetadataIncludeDeleted(subject, 2, true)).ID, second)
	check("versions", must(client.GetAllVersions(subject)), []int{1})
	check("deleted", must(client.DeleteSubject("tagged-value", false)), []int{1})
	check("deleted", must(client.DeleteSubject("tagged-value", true)), []int{1})
}

func roundTrips(url, broker string) {
	client := connect(url)
	ian := Student{First: "Ian", Age: 20}

	students := must(avrov2.NewSerializer(client, serde.ValueSerde, avrov2.NewSerializerConfig()))
	value := throughKafka(broker, "avro-trip", must(students.Serialize("avro-trip", &ian)))
	var got Student
	reader := must(avrov2.NewDeserializer(connect(url), serde.ValueSerde, avrov2.NewDeserializerConfig()))
	must(0, reader.DeserializeInto("avro-trip", value, &got))
	check("record", got, ian)

	validating := jsonschema.NewSerializerConfig()
	validating.EnableValidation = true
	items := must(jsonschema.NewSerializer(client, serde.ValueSerde, validating))
	value = throughKafka(broker, "json-trip", must(items.Serialize("json-trip", &ian)))
	got = Student{}
	of := must(jsonschema.NewDeserializer(connect(url), serde.ValueSerde, jsonschema.NewDeserializerConfig()))
	must(0, of.DeserializeInto("json-trip", value, &got))
	check("record", got, ian)
	check("type", must(client.GetLatestSchemaMetadata("json-trip-value")).SchemaType, "JSON")

	// A message that somebody has generated already: without protoc.
	price := &money.Money{CurrencyCode: "EUR", Units: 7}
	prices := must(protobuf.NewSerializer(client, serde.ValueSerde, protobuf.NewSerializerConfig()))
	value = throughKafka(broker, "protobuf-trip", must(prices.Serialize("protobuf-trip", price)))
	var read money.Money
	from := must(protobuf.NewDeserializer(connect(url), serde.ValueSerde, protobuf.NewDeserializerConfig()))
	must(0, from.DeserializeInto("protobuf-trip", value, &read))
	check("message", proto.Equal(&read, price), true)
	stored := must(client.GetLatestSchemaMetadata("protobuf-trip-value"))
	check("type", stored.SchemaType, "PROTOBUF")
	check("text", strings.Contains(stored.Schema, "message Money"), true)
}

// newest asks for all the members that an answer has.
type newest struct{}

func (newest) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.Header.Set("Confluent-Accept-Unknown-Properties", "true")
	return http.DefaultTransport.RoundTrip(request)
}

// idInHeader: ids in headers are guids, which the registry tells only those who take all of its members.
func idInHeader(url string) {
	config := schemaregistry.NewConfig(url)
	config.HTTPClient = &http.Client{Transport: newest{}}
	client := must(schemaregistry.NewClient(config))
	students := must(avrov2.NewSerializer(client, serde.ValueSerde, avrov2.NewSerializerConfig()))
	students.SchemaIDSerializer = serde.HeaderSchemaIDSerializer
	ian := Student{First: "Ian", Age: 20}
	headers, value, err := students.SerializeWithHeaders("header-trip", &ian)
	must(0, err)
	check("header", []any{headers[0].Key, len(headers[0].Value)}, []any{serde.ValueSchemaIDHeader, 17})
	var got Student
	reader := must(avrov2.NewDeserializer(connect(url), serde.ValueSerde, avrov2.NewDeserializerConfig()))
	must(0, reader.DeserializeWithHeadersInto("header-trip", headers, value, &got))
	check("record", got, ian)
	stored := must(client.GetLatestSchemaMetadata("header-trip-value"))
	check("by guid", must(client.GetByGUID(stored.GUID)).Schema, stored.Schema)
}

// throughKafka writes the value to a topic of its own and reads it from there.
func throughKafka(broker, topic string, value []byte) []byte {
	producer := must(kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": broker}))
	defer producer.Close()
	delivered := make(chan kafka.Event, 1)
	partition := kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny}
	must(0, producer.Produce(&kafka.Message{TopicPartition: partition, Value: value}, delivered))
	must(0, (<-delivered).(*kafka.Message).TopicPartition.Error)
	consumer := must(kafka.NewConsumer(&kafka.ConfigMap{
		"bootstrap.servers": broker, "group.id": topic, "auto.offset.reset": "earliest",
	}))
	defer consumer.Close()
	must(0, consumer.Subscribe(topic, nil))
	return must(consumer.ReadMessage(time.Minute)).Value
}
