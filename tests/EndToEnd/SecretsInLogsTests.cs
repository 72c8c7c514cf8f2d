using System.Net;
using System.Security.Cryptography;
using System.Text;
using Npgsql;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The output of the process at the most verbose level has none of the secrets that it knows or receives.</summary>
public sealed class SecretsInLogsTests
{
    private const string ClearKey = "clear-key-5f1c-0123456789abcdef", HashedKey = "hashed-key-77aa-0123456789abcdef",
        WrongKey = "wrong-key-90bd", UrlToken = "url-token-31ce", SigningKey = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    private const string EncryptionKey = "c2VjcmV0LW9mLXRoaXJ0eS10d28tYnl0ZXMtbG9uZyE=";
    private static readonly string KeptWith = Convert.ToBase64String(SHA256.HashData("kept"u8));

    [Theory]
    [InlineData("Debug")]
    [InlineData("Trace")]
    public async Task No_secret_is_in_the_logs(string tier)
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        var rabbitMq = await TestServers.CreateVirtualHostAsync();
        await using var receiver = await TestReceiver.StartAsync();
        await using var s3 = await TestS3.StartAsync();
        var settings = Settings(tier);
        foreach (var (key, value) in s3.Settings)
            settings[key] = value!;
        string output;
        await using (var process = await TaskQueueProcess.StartAsync("api,scheduler,consumers", database.ConnectionString, rabbitMq,
            settings))
        {
            await UseAsync(process.Http, receiver);
            await process.TerminateAsync();
            output = process.Output;
        }

        await TestServers.DeleteVirtualHostAsync(rabbitMq);
        s3.Calls.Select(c => c.Name).ShouldContain("ListObjectsV2", "it started with these keys");
        output.ShouldContain("dbug:");
        foreach (var secret in Secrets(database.ConnectionString, rabbitMq))
        {
            var lines = output.Split('\n').Where(line => line.Contains(secret, StringComparison.Ordinal)).Take(3);
            output.ShouldNotContain(secret, Case.Sensitive, $"{secret} in: {string.Join('\n', lines)}");
        }
    }

    private static Dictionary<string, string> Settings(string tier) => new()
    {
        ["TaskQueue:Auth:ApiKeys:0:Name"] = "ann",
        ["TaskQueue:Auth:ApiKeys:0:Key"] = ClearKey,
        ["TaskQueue:Auth:ApiKeys:0:Scopes:0"] = "admin",
        ["TaskQueue:Auth:ApiKeys:1:Name"] = "ben",
        ["TaskQueue:Auth:ApiKeys:1:KeyHash"] = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(HashedKey))),
        ["TaskQueue:Auth:Jwt:Secret"] = AuthServer.Secret,
        ["TaskQueue:Auth:TokenKey"] = KeptWith,
        ["TaskQueue:Webhooks:AllowPrivateNetworks"] = "true",
        ["TaskQueue:Encryption:ActiveKeyId"] = "k1",
        ["TaskQueue:Encryption:Keys:0:Id"] = "k1",
        ["TaskQueue:Encryption:Keys:0:Key"] = EncryptionKey,
        ["TaskQueue:Webhooks:SigningKeys:0"] = $"whsec_{SigningKey}",
        ["Logging:LogLevel:Default"] = tier,
        ["Logging:LogLevel:Microsoft.AspNetCore"] = tier,
        ["Logging:LogLevel:Microsoft.EntityFrameworkCore"] = tier,
        ["Logging:LogLevel:Microsoft.EntityFrameworkCore.Database.Command"] = tier,
        ["Logging:LogLevel:Microsoft.EntityFrameworkCore.Database.Connection"] = tier,
        ["Logging:LogLevel:MassTransit"] = tier,
        ["Logging:LogLevel:MassTransit.ReceiveTransport"] = tier,
    };

    private static string Token() => AuthServer.Token("\"sub\":\"jo\",\"scope\":\"enqueue read\",\"exp\":4102444800");

    private static IEnumerable<string> Secrets(string database, string rabbitMq)
    {
        yield return ClearKey;
        yield return HashedKey;
        yield return WrongKey;
        yield return UrlToken;
        yield return SigningKey;
        yield return EncryptionKey;
        yield return AuthServer.Secret;
        yield return KeptWith;
        yield return TestS3.SecretKey;
        yield return TestS3.AccessKey;
        yield return Token();
        yield return $"Password={new NpgsqlConnectionStringBuilder(database).Password}";
        yield return $":{new Uri(rabbitMq).UserInfo.Split(':')[1]}@";
    }

    /// <summary>Valid and invalid requests, and a callback that fails before it is delivered.</summary>
    private static async Task UseAsync(HttpClient http, TestReceiver receiver)
    {
        receiver.Answer = (context, tries) =>
        {
            context.Response.StatusCode = tries == 1 ? 500 : 200;
            return Task.CompletedTask;
        };
        foreach (var key in new[] { ClearKey, HashedKey, WrongKey, Token(), $"{Token()}x", "" })
        {
            foreach (var (method, path, body) in new[]
            {
                ("POST", "/tasks", $$"""{"action":"a","data":1,"callback_url":"{{receiver.Url}}/cb?token={{UrlToken}}"}"""),
                ("POST", "/tasks", "{"), ("GET", "/tasks", ""), ("GET", "/nothing", ""),
                ("PUT", "/queues/pushed", """{"delivery":"push"}"""), ("POST", "/v1/queue/register", """{"queue":"b","endpoint":"/x"}"""),
                ("POST", "/v1/queue/put",
                    $$"""{"queue":"b","endpoint":"/x","data":{},"callback_url":"{{receiver.Url}}/cb?token={{UrlToken}}"}"""),
                ("GET", $"/v1/queue/eventbus?Authorization=Bearer%20{key}", ""),
                ("POST", "/v1/queue/take", """{"queues":["b:0"],"size":1}"""), ("POST", "/moab/GetQueue", "{}"),
            })
            {
                await Eventually.UntilAsync(async () =>
                {
                    using var answer = await AuthServer.SendAsync(http, method, path,
                        path.Contains('?', StringComparison.Ordinal) ? null : $"Bearer {key}", body);
                    if (answer.StatusCode == HttpStatusCode.ServiceUnavailable)
                        return false; // a busy broker
                    ((int)answer.StatusCode).ShouldBeLessThan(500, path);
                    return true;
                }, TestHttp.Patience, path);
            }
        }

        await Eventually.UntilAsync(() => Task.FromResult(receiver.All.Count >= 2), TimeSpan.FromSeconds(40), "a callback was tried again");
    }
}
