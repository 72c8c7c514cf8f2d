using System.Net;
using Shouldly;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Scheduler.Callbacks;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Ways to write an address, including ones that mean a different address.</summary>
public sealed class CallbackUrlTests
{
    [Theory]
    [InlineData("192.31.196.1")]
    [InlineData("192.52.193.1")]
    [InlineData("192.175.48.1")]
    [InlineData("192.88.99.1")]
    [InlineData("192.0.0.192")]
    [InlineData("198.19.255.255")]
    [InlineData("168.63.129.16")]
    [InlineData("100.100.100.200")]
    [InlineData("::ffff:169.254.169.254")]
    [InlineData("::169.254.169.254")]
    [InlineData("64:ff9b::a9fe:a9fe")]
    [InlineData("64:ff9b::a00:1")]
    [InlineData("64:ff9b:1::1")]
    [InlineData("2002:a9fe:a9fe::1")]
    [InlineData("2002:c0a8:1::1")]
    [InlineData("2001:0:4136:e378:8000:63bf:3fff:fdd2")]
    [InlineData("2606:4700::5efe:10.0.0.1")]
    [InlineData("2606:4700::200:5efe:10.0.0.1")]
    [InlineData("2620:4f:8000::1")]
    [InlineData("2001:2::1")]
    [InlineData("2001:20::1")]
    [InlineData("100::1")]
    [InlineData("5f00::1")]
    [InlineData("fd00:ec2::254")]
    [InlineData("fd20:ce::254")]
    public void Special_purpose_addresses_are_not_public(string address) =>
        PublicAddresses.Contain(IPAddress.Parse(address)).ShouldBeFalse();

    [Theory]
    [InlineData("192.31.195.255")]
    [InlineData("168.63.129.17")]
    [InlineData("198.20.0.0")]
    [InlineData("2606:4700:4700::1111")]
    [InlineData("2001:4860:4860::8888")]
    [InlineData("2620:4f:8001::1")]
    [InlineData("2606:4700::5efe:8.8.8.8")]
    public void Neighbours_of_special_purpose_addresses_are_public(string address) =>
        PublicAddresses.Contain(IPAddress.Parse(address)).ShouldBeTrue();

    [Theory]
    [InlineData("http://169.254.169.254/latest/meta-data")]
    [InlineData("http://[::ffff:169.254.169.254]/")]
    [InlineData("http://[64:ff9b::a9fe:a9fe]/")]
    [InlineData("http://[fd00:ec2::254]/")]
    [InlineData("http://[fe80::1]/")]
    [InlineData("http://168.63.129.16/")]
    [InlineData("http://100.100.100.200/")]
    [InlineData("http://224.0.0.1/")]
    [InlineData("http://255.255.255.255/")]
    [InlineData("http://metadata.google.internal/")]
    [InlineData("http://METADATA.google.internal./")]
    public void Metadata_services_are_refused_even_if_private_networks_are_allowed(string url) =>
        CallbackRules.Check(url, new WebhookOptions { AllowPrivateNetworks = true })!.ShouldContain("metadata");

    [Theory]
    [InlineData("http://134744072/x", "four decimal numbers")]
    [InlineData("http://0x8.8.8.8/x", "four decimal numbers")]
    [InlineData("http://010.8.8.8/x", "four decimal numbers")]
    [InlineData("http://8.8.2056/x", "four decimal numbers")]
    [InlineData("http://8.8.8.8./x", "four decimal numbers")]
    [InlineData("http://256.256.256.256/x", "callback_url")]
    [InlineData("http://example.com:0/x", "port")]
    [InlineData("http://example.com:65536/x", "callback_url")]
    [InlineData("http://u@example.com/x", "user and password")]
    [InlineData("http://@example.com/x", "user and password")]
    [InlineData("http://127.0.0.1:80@example.com/x", "user and password")]
    [InlineData("http://example.com\\@localhost/x", "'\\'")]
    [InlineData("http:\\\\example.com/x", "'\\'")]
    [InlineData("http:example.com/x", "absolute")]
    [InlineData("//example.com/x", "absolute")]
    [InlineData("ftp://example.com/x", "absolute")]
    [InlineData("javascript://example.com/x", "absolute")]
    [InlineData("http://exa%6dple.com/x", "percent-encoding")]
    [InlineData("http://%6c%6f%63alhost/x", "callback_url")]
    [InlineData("http://[fe80::1%25eth0]/x", "percent-encoding")]
    [InlineData("http://example..com/x", "callback_url")]
    [InlineData("http://example.com../x", "callback_url")]
    [InlineData("http://ｌｏｃａｌｈｏｓｔ/x", "xn--")]
    [InlineData("http://localho\u017Ft/x", "xn--")]
    [InlineData("http://127。0。0。1/x", "callback_url")]
    [InlineData("http://ⓛocalhost/x", "xn--")]
    [InlineData("http://example.com/\u007f", "control")]
    [InlineData("http://example.com/\r\nX-Evil:1", "control")]
    public void Ambiguous_URLs_are_refused_with_a_hint(string url, string reason) =>
        CallbackRules.Check(url, new WebhookOptions())!.ShouldContain(reason);

    [Theory]
    [InlineData("http://Example.COM/x", "http://example.com:80")]
    [InlineData("HTTPS://example.com./?1", "https://example.com:443")]
    [InlineData("http://example.com:8080?1", "http://example.com:8080")]
    [InlineData("http://example.com:8080#2", "http://example.com:8080")]
    [InlineData("http://example.com:08080/x", "http://example.com:8080")]
    [InlineData("https://example.com:443/a?b=c", "https://example.com:443")]
    [InlineData("http://[::FFFF:8.8.8.8]/", "http://8.8.8.8:80")]
    [InlineData("http://[2606:4700:0:0::1]:81/", "http://[2606:4700::1]:81")]
    [InlineData("http://xn--gre-6ka8i.example/", "http://xn--gre-6ka8i.example:80")]
    [InlineData("http://größe.example/", "http://xn--gre-6ka8i.example:80")]
    [InlineData("nonsense", "")]
    [InlineData("ftp://example.com/", "")]
    public void Equivalent_URLs_name_the_same_receiver(string url, string origin) => CallbackOrigin.Of(url).ShouldBe(origin);

    [Fact]
    public void Owners_have_secrets_of_their_own_one_for_each_key()
    {
        var options = new WebhookOptions { SigningKeys = { "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD" } };

        var all = new[] { "ann", "ben", null }.SelectMany(owner => WebhookSecrets.Of(options, owner)).Select(WebhookSecrets.Format)
            .ToList();

        all.Distinct(StringComparer.Ordinal).Count().ShouldBe(6);
        foreach (var secret in all)
        {
            secret.ShouldStartWith("whsec_");
            Convert.FromBase64String(secret["whsec_".Length..]).Length.ShouldBe(32);
        }

        WebhookSecrets.Of(options, "").Select(WebhookSecrets.Format).ShouldBe(all.TakeLast(2));
    }

    [Fact]
    public void A_webhook_id_identifies_the_owner_whatever_its_name()
    {
        new CallbackEnvelope("task.completed", "a/b.1 ü", "t").Id.ShouldBe("task.completed/a%2Fb%2E1%20%C3%BC/t");
        new CallbackEnvelope("task.completed", null, "t").Id.ShouldBe("task.completed//t");
    }

    [Fact]
    public void Limits_leave_slots_for_others()
    {
        new WebhookOptions().Limits.ShouldBe(new CallbackLimits(4, 8, 56));
        new WebhookOptions { Concurrency = 1 }.Limits.ShouldBe(new CallbackLimits(1, 1, 1));
        new WebhookOptions { Concurrency = 8, MaxPerOwner = 100, MaxPerOrigin = 100 }.Limits.ShouldBe(new CallbackLimits(4, 4, 4));
    }
}
