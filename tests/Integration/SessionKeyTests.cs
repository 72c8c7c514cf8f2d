using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine.Auth;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>Keys of session cookies, on each database.</summary>
public abstract class SessionKeyTests(DatabaseProvider provider)
{
    [Fact]
    public async Task Of_two_processes_that_add_a_key_one_wins()
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address, settings: new()
        {
            ["TaskQueue:Encryption:ActiveKeyId"] = "k1",
            ["TaskQueue:Encryption:Keys:0:Id"] = "k1",
            ["TaskQueue:Encryption:Keys:0:Key"] = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)),
        });
        var store = engine.Services.GetRequiredService<ISessionKeyStore>();
        store.IsEncrypted.ShouldBeTrue();
        store.List().ShouldBeEmpty();

        store.TryAdd(Key(1, "<key>one</key>")).ShouldBeTrue();
        store.TryAdd(Key(1, "<key>two</key>")).ShouldBeFalse();
        store.TryAdd(Key(2, "<key>three</key>")).ShouldBeTrue();

        store.List().Select(k => (k.Number, k.Text)).ShouldBe([(1, "<key>one</key>"), (2, "<key>three</key>")]);
    }

    [Fact]
    public async Task Keys_in_clear_are_not_used()
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var store = engine.Services.GetRequiredService<ISessionKeyStore>();
        store.IsEncrypted.ShouldBeFalse();
        store.TryAdd(Key(1, "<key>one</key>")).ShouldBeTrue();
        store.List().Select(k => (k.Number, k.Text)).ShouldBe([(1, "")]);
    }

    private static SessionKey Key(int number, string text) => new() { Number = number, Text = text, CreatedAt = DateTime.UnixEpoch };
}

public sealed class PostgresSessionKeyTests() : SessionKeyTests(DatabaseProvider.Postgres);

public sealed class SqliteSessionKeyTests() : SessionKeyTests(DatabaseProvider.Sqlite);
