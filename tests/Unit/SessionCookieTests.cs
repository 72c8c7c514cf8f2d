using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Telemetry;
using TaskQueue.WebConsole;
using TaskQueue.WebConsole.Sessions;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Cookies of console sessions.</summary>
public sealed class SessionCookieTests
{
    [Fact]
    public void Cookies_of_made_up_keys_do_not_have_the_keys_read_all_the_time()
    {
        var (store, time) = (new CountingStore(), new FakeTimeProvider(TimeProvider.System.GetUtcNow()));
        var keys = new SessionKeys(store, time, NullLogger<SessionKeys>.Instance);
        var services = new ServiceCollection().AddLogging();
        services.AddDataProtection().SetApplicationName("taskqueue");
        services.Configure<KeyManagementOptions>(o => (o.XmlRepository, o.XmlEncryptor) = (keys, new StorageEncrypts()));
        using var provider = services.BuildServiceProvider();
        var cookies = new SessionCookies(provider.GetRequiredService<IDataProtectionProvider>(), keys, Options.Create(new ConsoleOptions()),
            new DependencyHealth(time, NullLogger<DependencyHealth>.Instance), time);
        var own = Begin(cookies);
        Read(cookies, own).ShouldNotBeNull();

        var reads = store.Reads;
        for (var i = 0; i < 100; i++)
            Read(cookies, MadeUp(Guid.NewGuid())).ShouldBeNull();
        (store.Reads - reads).ShouldBeLessThanOrEqualTo(1);

        time.Advance(TimeSpan.FromSeconds(2));
        reads = store.Reads;
        for (var i = 0; i < 100; i++)
            Read(cookies, MadeUp(Guid.NewGuid())).ShouldBeNull();
        (store.Reads - reads).ShouldBe(1); // it may be of another process
        Read(cookies, own).ShouldNotBeNull();
    }

    [Theory]
    [InlineData("x")]
    [InlineData("this is no cookie of this server, although it is long enough to be one")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    public void What_is_no_cookie_of_this_server_needs_no_keys(string text)
    {
        var (store, time) = (new CountingStore(), new FakeTimeProvider());
        var cookies = new SessionCookies(new EphemeralDataProtectionProvider(), new SessionKeys(store, time,
            NullLogger<SessionKeys>.Instance), Options.Create(new ConsoleOptions()),
            new DependencyHealth(time, NullLogger<DependencyHealth>.Instance), time);

        Read(cookies, text).ShouldBeNull();

        store.Reads.ShouldBe(0);
    }

    private static string Begin(SessionCookies cookies)
    {
        var context = new DefaultHttpContext();
        cookies.Write(context, new SessionTicket(cookies.End.ToUnixTimeSeconds(), "digest", null));
        var cookie = context.Response.Headers.SetCookie.ToString();
        return cookie[(cookie.IndexOf('=', StringComparison.Ordinal) + 1)..cookie.IndexOf(';', StringComparison.Ordinal)];
    }

    private static SessionTicket? Read(SessionCookies cookies, string text)
    {
        var context = new DefaultHttpContext();
        context.Request.Headers.Cookie = $"{SessionCookies.Name}={Uri.EscapeDataString(text)}";
        return cookies.Read(context);
    }

    /// <summary>A cookie as data protection would make it with another key.</summary>
    private static string MadeUp(Guid key) =>
        Base64Url.EncodeToString([0x09, 0xF0, 0xC9, 0xF0, .. key.ToByteArray(), .. RandomNumberGenerator.GetBytes(100)]);

    private sealed class CountingStore : ISessionKeyStore
    {
        private readonly List<SessionKey> _keys = [];

        public int Reads { get; private set; }

        public bool IsEncrypted => true;

        public IReadOnlyList<SessionKey> List()
        {
            Reads++;
            return [.. _keys];
        }

        public bool TryAdd(SessionKey key)
        {
            _keys.Add(key);
            return true;
        }
    }
}
