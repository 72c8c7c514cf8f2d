using System.ComponentModel.DataAnnotations;
using System.Security.Cryptography;
using Shouldly;
using TaskQueue.Adapters.Moab.Rpc;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Auth;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Keys with which callers sign requests.</summary>
public sealed class SigningKeyTests
{
    private static readonly string Secret = Convert.ToBase64String(Enumerable.Range(0, 32).Select(i => (byte)i).ToArray());

    [Fact]
    public void A_signing_key_needs_an_id_and_one_thing_to_check_it()
    {
        using var curve = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var pem = curve.ExportSubjectPublicKeyInfoPem();

        ProblemOf(new() { SigningId = "key_bravo_1", SigningSecret = Secret }).ShouldBe("");
        ProblemOf(new() { SigningId = "key_alfa_1", SigningPublicKey = pem }).ShouldBe("");
        ProblemOf(new()).ShouldContain("or a SigningId");
        ProblemOf(new() { SigningSecret = Secret, KeyHash = new string('a', 64) }).ShouldContain("no SigningId");
        ProblemOf(new() { SigningId = "a b", SigningSecret = Secret }).ShouldContain("SigningId that is not");
        ProblemOf(new() { SigningId = "a" }).ShouldContain("either a SigningSecret or a SigningPublicKey");
        ProblemOf(new() { SigningId = "a", SigningSecret = Secret, SigningPublicKey = pem }).ShouldContain("either");
        ProblemOf(new() { SigningId = "a", SigningSecret = "short" }).ShouldContain("SigningSecret that is not");
        ProblemOf(new() { SigningId = "a", SigningSecret = Convert.ToBase64String(new byte[32]) })
            .ShouldContain("SigningSecret that is not");
        ProblemOf(new() { SigningId = "a", SigningPublicKey = curve.ExportPkcs8PrivateKeyPem() })
            .ShouldContain("SigningPublicKey that is not");
        ProblemOf(new() { SigningId = "a", SigningPublicKey = "short" }).ShouldContain("SigningPublicKey that is not");
        ProblemOf(new() { SigningId = "a", SigningPublicKey = other.ExportSubjectPublicKeyInfoPem() })
            .ShouldContain("SigningPublicKey that is not");
    }

    [Fact]
    public void A_signing_id_belongs_to_one_key()
    {
        var options = new AuthOptions();
        options.ApiKeys.Add(new() { Name = "a", SigningId = "one", SigningSecret = Secret });
        options.ApiKeys.Add(new() { Name = "b", SigningId = "two", SigningSecret = Secret });
        options.Validate(new ValidationContext(options)).ShouldBeEmpty();

        options.FileKeys.Add(new() { Name = "c", SigningId = "one", SigningSecret = Secret });

        options.Validate(new ValidationContext(options)).ShouldHaveSingleItem().ErrorMessage!
            .ShouldBe("TaskQueue:Auth: the SigningId 'one' belongs to several keys; give each its own");
    }

    /// <summary>Computed with another implementation of HMAC.</summary>
    [Theory]
    [InlineData(1_700_000_000, true)]
    [InlineData(1_700_000_001, false)]
    public void A_signature_of_another_implementation_is_valid(long seconds, bool isValid)
    {
        var key = new SigningKey(Caller.Anyone, null, Convert.FromBase64String(Secret), null);

        MoabSignatures.IsValid(key, seconds, Vector, "Enqueue", [0x0A, 0x01, (byte)'Q']).ShouldBe(isValid);
    }

    private const string Vector = "1f9bf6035de1003492c51943482bf5e46a6e870cf0984ae7021f3a5126d676de";

    private static string ProblemOf(ApiKeyOptions key)
    {
        key.Name = "name";
        var options = new AuthOptions();
        options.ApiKeys.Add(key);
        return options.Validate(new ValidationContext(options)).FirstOrDefault()?.ErrorMessage ?? "";
    }
}
