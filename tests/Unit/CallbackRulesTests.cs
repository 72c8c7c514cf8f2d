using System.Net;
using System.Text;
using Shouldly;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Scheduler.Callbacks;
using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed class CallbackRulesTests
{
    [Theory]
    [InlineData("93.184.216.34", true)]
    [InlineData("8.8.8.8", true)]
    [InlineData("172.15.255.255", true)]
    [InlineData("172.32.0.0", true)]
    [InlineData("2606:2800:220:1:248:1893:25c8:1946", true)]
    [InlineData("64:ff9b::808:808", true)]
    [InlineData("::ffff:8.8.8.8", true)]
    [InlineData("0.0.0.0", false)]
    [InlineData("10.1.2.3", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("127.0.0.1", false)]
    [InlineData("127.255.255.254", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("172.16.0.1", false)]
    [InlineData("172.31.255.255", false)]
    [InlineData("192.168.0.1", false)]
    [InlineData("198.18.0.1", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("::", false)]
    [InlineData("::1", false)]
    [InlineData("::127.0.0.1", false)]
    [InlineData("::ffff:127.0.0.1", false)]
    [InlineData("::ffff:10.0.0.1", false)]
    [InlineData("64:ff9b::7f00:1", false)]
    [InlineData("2002:7f00:1::", false)]
    [InlineData("fc00::1", false)]
    [InlineData("fd12:3456::1", false)]
    [InlineData("fe80::1", false)]
    [InlineData("ff02::1", false)]
    [InlineData("192.0.2.1", false)]
    [InlineData("198.51.100.1", false)]
    [InlineData("203.0.113.1", false)]
    [InlineData("240.0.0.1", false)]
    [InlineData("2002:808:808::", true)]
    [InlineData("::ffff:0:7f00:1", false)]
    [InlineData("64:ff9b:1::a00:1", false)]
    [InlineData("2001::1", false)]
    [InlineData("2001:db8::1", false)]
    [InlineData("3fff::1", false)]
    [InlineData("fec0::1", false)]
    [InlineData("fe80::1%1", false)]
    [InlineData("4000::1", false)]
    public void Addresses_of_the_public_internet(string address, bool isPublic) =>
        PublicAddresses.Contain(IPAddress.Parse(address)).ShouldBe(isPublic);

    [Theory]
    [InlineData("https://example.com/hook?x=1", true)]
    [InlineData("http://cb/x", true)]
    [InlineData("http://localhost.example.com/", true)]
    [InlineData("http://LOCALHOST./x", false)]
    [InlineData("http://a.localhost/x", false)]
    [InlineData("http://0x7f.1/x", false)]
    [InlineData("http://017700000001/x", false)]
    [InlineData("https://[::ffff:10.0.0.1]/x", false)]
    [InlineData("/relative", false)]
    [InlineData("file:///etc/passwd", false)]
    [InlineData("gopher://example.com", false)]
    [InlineData("http://u:p@example.com/", false)]
    [InlineData("http://127.0.0.1./x", false)]
    [InlineData("http://10.1/x", false)]
    [InlineData("http://größe.example/größe", true)]
    [InlineData("http://cb/a\0b", false)]
    [InlineData("http://cb/a b", false)]
    [InlineData("http://cb/a\nb", false)]
    [InlineData("http:///x", false)]
    [InlineData("", false)]
    public void Valid_URLs_are_accepted(string url, bool allowed) =>
        (CallbackRules.Check(url, new WebhookOptions()) is null).ShouldBe(allowed);

    [Theory]
    [InlineData("https://hooks.example.com:8443/x", true)]
    [InlineData("https://HOOKS.EXAMPLE.COM./x", true)]
    [InlineData("https://a.b.example.org/x", true)]
    [InlineData("https://example.org/x", false)]
    [InlineData("https://badexample.org/x", false)]
    [InlineData("https://hooks.example.com.evil.org/x", false)]
    [InlineData("http://10.0.0.1/x", false)]
    public void Hosts_can_be_listed(string url, bool allowed) =>
        (CallbackRules.Check(url, new WebhookOptions { AllowedHosts = { "hooks.example.com", "*.example.org", "10.0.0.1" } }) is null)
            .ShouldBe(allowed);

    [Fact]
    public void Half_a_surrogate_pair_is_not_a_valid_URL() =>
        CallbackRules.Check("http://cb/\uD83D", new WebhookOptions()).ShouldNotBeNull();

    [Fact]
    public void A_url_has_at_most_2048_characters()
    {
        var longest = "http://cb/".PadRight(2048, 'x');

        CallbackRules.Check(longest, new WebhookOptions()).ShouldBeNull();
        CallbackRules.Check(longest + "x", new WebhookOptions()).ShouldNotBeNull();
    }

    [Fact]
    public void Private_networks_can_be_allowed() =>
        CallbackRules.Check("http://10.0.0.1/x", new WebhookOptions { AllowPrivateNetworks = true }).ShouldBeNull();

    [Fact]
    public void Signatures_follow_Standard_Webhooks()
    {
        // The example of the specification's own libraries.
        var key = Convert.FromBase64String("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        var at = DateTimeOffset.FromUnixTimeSeconds(1614265330);

        var signature = CallbackSignature.Of("msg_p5jXN8AQM9LWM0D4loKWxJek", at, "{\"test\": 2432232314}",
            [key, Encoding.UTF8.GetBytes("another")]);

        signature.Split(' ')[0].ShouldBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        signature.Split(' ').Length.ShouldBe(2);
    }
}
