using System.Security.Cryptography;
using System.Text.Json;
using Shouldly;
using TaskQueue.Client;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>The codec that encrypts in the client.</summary>
public sealed class PayloadCodecTests
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };
    private static readonly byte[] Key1 = RandomNumberGenerator.GetBytes(32);
    private static readonly byte[] Key2 = RandomNumberGenerator.GetBytes(32);

    [Theory]
    [InlineData("null")]
    [InlineData("\"ä😀\"")]
    [InlineData("""{"$enc":1,"b":2}""")]
    [InlineData("""{"$enc":{"kid":"k1","data":"AAAA"}}""")]
    public void Any_JSON_round_trips_through_its_encoded_form(string json)
    {
        var codec = Codec("k1", ("k1", Key1));
        var encoded = codec.Encode(TaskText.Data, json);
        using var document = JsonDocument.Parse(encoded);
        document.RootElement.GetProperty("$enc").GetProperty("kid").GetString().ShouldBe("k1");
        codec.Decode(TaskText.Data, encoded).ShouldBe(json);
        codec.Decode(TaskText.Data, JsonSerializer.Serialize(document.RootElement, Indented)).ShouldBe(json);
        encoded.ShouldNotBe(codec.Encode(TaskText.Data, json));
    }

    [Fact]
    public void Keys_rotate_and_decoding_errors_name_the_missing_key()
    {
        var old = Codec("k1", ("k1", Key1)).Encode(TaskText.Data, "1");
        var rotated = Codec("k2", ("k1", Key1), ("k2", Key2));
        rotated.Decode(TaskText.Data, old).ShouldBe("1");
        rotated.Encode(TaskText.Data, "1").ShouldContain("\"k2\"");
        Refused(() => Codec("k2", ("k2", Key2)).Decode(TaskText.Data, old)).ShouldContain("key 'k1', which this codec does not have");
        Refused(() => Codec("k1", ("k1", Key2)).Decode(TaskText.Data, old)).ShouldContain("does not open with key 'k1'");
        Refused(() => rotated.Decode(TaskText.Result, old)).ShouldContain("the result does not open");
        Refused(() => rotated.Decode(TaskText.Data, """{"$enc":"other"}""")).ShouldContain("does not know");
    }

    [Fact]
    public void Plain_values_are_read_unless_refused()
    {
        Codec("k1", ("k1", Key1)).Decode(TaskText.Data, """{"a":1}""").ShouldBe("""{"a":1}""");
        var strict = new AesGcmPayloadCodec("k1", new Dictionary<string, byte[]> { ["k1"] = Key1 }) { AcceptsPlain = false };
        Refused(() => strict.Decode(TaskText.Data, """{"a":1}""")).ShouldContain("not encrypted");
    }

    [Fact]
    public void Invalid_keys_are_refused()
    {
        Should.Throw<ArgumentException>(() => Codec("k1", ("k1", new byte[16]))).Message.ShouldContain("32 bytes");
        Should.Throw<ArgumentException>(() => Codec("k1", ("k 1", Key1))).Message.ShouldContain("letters or digits");
        Should.Throw<ArgumentException>(() => Codec("k2", ("k1", Key1))).Message.ShouldContain("no key 'k2'");
    }

    private static string Refused(Func<string> decode) => Should.Throw<TaskPayloadException>(() => decode()).Message;

    private static AesGcmPayloadCodec Codec(string active, params (string Id, byte[] Key)[] keys) =>
        new(active, keys.ToDictionary(k => k.Id, k => k.Key));
}
