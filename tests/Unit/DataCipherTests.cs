using System.Security.Cryptography;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Encryption;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Texts encrypted for storage, and their keys.</summary>
public sealed class DataCipherTests
{
    private static readonly string Key1 = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
    private static readonly string Key2 = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
    private static readonly Place Here = new("tasks.payload", Guid.NewGuid());

    [Fact]
    public void Any_text_of_any_length_and_prefix_round_trips()
    {
        var random = new Random(20);
        var on = Cipher("k1", ("k1", Key1));
        var off = Cipher(null, ("k1", Key1));
        List<string> texts = ["", "null",
            """{"a":"ä😀"}""", "enc:", "enc:v1:k1:AAAA", "enc:plain:x", "enc:v2", "ENC:v1:", new string('x', 1_000_000)];
        for (var i = 0; i < 300; i++)
            texts.Add(string.Concat(Enumerable.Range(0, random.Next(200)).Select(_ => (char)random.Next(1, 0xD7FF))));
        foreach (var text in texts)
        {
            var stored = on.Seal(Here, text);
            stored.ShouldStartWith("enc:v1:k1:");
            on.Open(Here, stored).ShouldBe(text);
            off.Open(Here, stored).ShouldBe(text);
            var plain = off.Seal(Here, text);
            plain.ShouldBe(text.StartsWith("enc:", StringComparison.Ordinal) ? $"enc:plain:{text}" : text);
            off.Open(Here, plain).ShouldBe(text);
            on.Open(Here, plain).ShouldBe(text);
        }

        on.Seal(Here, null).ShouldBeNull();
        on.Seal(Here, "same").ShouldNotBe(on.Seal(Here, "same"));
    }

    [Fact]
    public void Moved_or_altered_data_and_data_of_another_key_cannot_be_decrypted()
    {
        var cipher = Cipher("k1", ("k1", Key1));
        var stored = cipher.Seal(Here, "secret")!;

        Refused(() => cipher.Open(Here with { Field = "tasks.result" }, stored)).ShouldContain("'k1'");
        Refused(() => cipher.Open(Here with { Id = Guid.NewGuid() }, stored));
        Refused(() => Cipher("k1", ("k1", Key2)).Open(Here, stored)).ShouldContain("'k1'");
        Refused(() => Cipher("k2", ("k2", Key2)).Open(Here, stored)).ShouldContain("key 'k1', which is not in TaskQueue:Encryption:Keys");
        Refused(() => Cipher(null).Open(Here, stored)).ShouldContain("key 'k1'");
        for (var at = "enc:v1:k1:".Length; at < stored.Length; at += 7)
            Refused(() => cipher.Open(Here, $"{stored[..at]}{(stored[at] == 'A' ? 'B' : 'A')}{stored[(at + 1)..]}"));
        foreach (var broken in new[] { "enc:", "enc:v1:", "enc:v1:k1", "enc:v1:k1:", "enc:v1:k1:AAAA", "enc:v1:k1:%", "enc:v9:k1:AAAA" })
            Refused(() => cipher.Open(Here, broken));
        cipher.OpenOrExplain(Here, "enc:v1:k9:AAAA", asJson: true).ShouldStartWith("\"");
    }

    [Fact]
    public void After_a_rotation_both_keys_decrypt_and_the_active_one_encrypts()
    {
        var old = Cipher("k1", ("k1", Key1)).Seal(Here, "old");
        var rotated = Cipher("k2", ("k1", Key1), ("k2", Key2));

        rotated.Open(Here, old).ShouldBe("old");
        rotated.Seal(Here, "new").ShouldStartWith("enc:v1:k2:");
    }

    [Theory]
    [InlineData("k1", "k1", "short", "must be 32 bytes in base64")]
    [InlineData("k1", "k1", "AAAA", "must be 32 bytes in base64")]
    [InlineData("k1", "k-1", null, "1 to 32 letters or digits")]
    [InlineData("k1", "", null, "1 to 32 letters or digits")]
    [InlineData("k9", "k1", null, "ActiveKeyId names 'k9'")]
    public void Invalid_keys_are_refused_without_revealing_them(string active, string id, string? key, string problem)
    {
        var message = Validate(Options(active, (id, key ?? Key1))).ShouldNotBeNull();
        message.ShouldContain(problem);
        message.ShouldNotContain(key ?? Key1);
    }

    [Fact]
    public void Keys_may_come_from_a_file_in_addition_to_the_configuration()
    {
        var path = Path.Combine(Path.GetTempPath(), $"keys-{Guid.NewGuid():N}.json");
        File.WriteAllText(path, $$"""{"ActiveKeyId":"k2","Keys":[{"Id":"k2","Key":"{{Key2}}"}]}""");
        try
        {
            var options = Options(null, ("k1", Key1));
            options.KeysFile = path;
            Validate(options).ShouldBeNull();
            EncryptionKeys.Of(options).ActiveId.ShouldBe("k2");
            EncryptionKeys.Of(options).ById.Keys.ShouldBe(["k1", "k2"], ignoreOrder: true);
            options.ActiveKeyId = "k1";
            Validate(options).ShouldNotBeNull().ShouldContain("keep one");
            options.ActiveKeyId = null;
            options.Keys.Add(new EncryptionKeyOptions { Id = "k2", Key = Key1 });
            Validate(options).ShouldNotBeNull().ShouldContain("duplicate");
        }
        finally
        {
            File.Delete(path);
        }

        var missing = Options(null);
        missing.KeysFile = path;
        Validate(missing).ShouldNotBeNull().ShouldContain("KeysFile");
    }

    private static string Refused(Func<string?> open) => Should.Throw<UnreadableDataException>(() => open()).Message;

    private static string? Validate(EncryptionOptions options) => new EncryptionKeys().Validate(null, options).FailureMessage;

    internal static DataCipher Cipher(string? active, params (string Id, string Key)[] keys) =>
        new(Microsoft.Extensions.Options.Options.Create(Options(active, keys)));

    private static EncryptionOptions Options(string? active, params (string Id, string Key)[] keys)
    {
        var options = new EncryptionOptions { ActiveKeyId = active };
        foreach (var (id, key) in keys)
            options.Keys.Add(new EncryptionKeyOptions { Id = id, Key = key });
        return options;
    }
}
