using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Deployment;

/// <summary>The users of deploy/rabbitmq/definitions.json are those that compose.yaml and the overlays use.</summary>
public sealed class BrokerUsersTests
{
    private const int Salt = 4;

    private static readonly JsonNode Definitions = JsonNode.Parse(File.ReadAllText(FileAt("definitions.json")))!;

    [Fact]
    public async Task Every_role_connects_with_a_user_of_its_own_and_its_password()
    {
        var dev = Yaml.ReadFile(Repository.FileAt("k8s", "overlays", "dev", "kustomization.yaml")).All("secretGenerator")
            .SelectMany(s => s.All("literals")).Select(l => l.ToString());
        var addresses = Deployed.InCompose().Where(d => d.Arguments is not ["migrate"])
            .ToDictionary(d => $"compose {d.Arguments[1]}", d => new Uri(d.Environment["ConnectionStrings__RabbitMq"]));
        foreach (var literal in dev.Where(l => l.StartsWith("rabbitmq-", StringComparison.Ordinal)).Select(l => l.Split('=', 2)))
            addresses.Add($"dev {literal[0]["rabbitmq-".Length..]}", new Uri(literal[1]));

        addresses.Count.ShouldBe(6);
        foreach (var (where, address) in addresses)
        {
            var (user, password) = (address.UserInfo.Split(':')[0], address.UserInfo.Split(':')[1]);
            user.ShouldBe($"taskqueue-{where.Split(' ')[1]}");
            HashMatches(user, password).ShouldBeTrue(where);
        }

        foreach (var start in (await Deployed.AllAsync()).Where(d => d.Arguments is not ["migrate"]))
        {
            start.Environment.Where(v => v.Key.StartsWith("TaskQueue__Bus__EngineUsers__", StringComparison.Ordinal)).Select(v => v.Value)
                .ShouldBe(["taskqueue-api", "taskqueue-scheduler", "taskqueue-consumers"], ignoreOrder: true, start.Where);
        }
    }

    [Fact]
    public void Configured_producers_and_workers_have_exactly_the_broker_permissions_they_need()
    {
        var users = Definitions.All("users").Select(u => u.Text("name")!).ToList();
        Definitions.All("permissions").Select(p => p.Text("user")).ShouldBe(users, ignoreOrder: true);
        var environment = Deployed.InCompose().Last().Environment;
        Rights(environment["TaskQueue__Bus__Producers__0__User"]).ShouldBe(("^$", "^taskqueue-submit$", "^$"));
        var worker = Rights(environment["TaskQueue__Bus__Workers__0__User"]);
        worker.Configure.ShouldBe(@"^shop-worker\.[a-z0-9]+$");
        worker.Read.ShouldBe(@"^(shop(\.ended)?|shop-worker\.[a-z0-9]+)$");
        Definitions.All("users").Where(u => u.Text("tags") != "").Select(u => u.Text("name")).ShouldBe(["taskqueue-admin"]);
    }

    [Theory]
    [InlineData("shop-worker.0f3c", "expires", "max-length", "max-length-bytes")]
    [InlineData("taskqueue-submit_error", "max-length-bytes")]
    [InlineData("taskqueue-submit_skipped", "max-length-bytes")]
    [InlineData("taskqueue-submit")]
    [InlineData("shop")]
    public void Policies_bound_only_the_queues_that_users_could_fill_endlessly(string queue, params string[] bounds) =>
        Definitions.All("policies").Where(p => Regex.IsMatch(queue, p.Text("pattern")!, RegexOptions.None, TimeSpan.FromSeconds(1)))
            .SelectMany(p => p["definition"]!.AsObject().Select(d => d.Key)).Except(["overflow"])
            .ShouldBe(bounds, ignoreOrder: true);

    [Theory]
    [InlineData("definitions.json")]
    [InlineData("rabbitmq.conf")]
    public void The_copy_for_Kustomize_is_identical(string file) =>
        File.ReadAllText(Repository.FileAt("k8s", "overlays", "dev", file)).ShouldBe(File.ReadAllText(FileAt(file)));

    [Fact]
    public void Passwords_are_for_development_only_and_hashed()
    {
        foreach (var user in Definitions.All("users").Select(u => u.Text("name")!))
            HashMatches(user, $"{user}-dev").ShouldBeTrue(user);
        Definitions.All("users")
            .ShouldAllBe(u => u.Text("password") == null && u.Text("hashing_algorithm") == "rabbit_password_hashing_sha256");
    }

    [Fact]
    public async Task The_script_hashes_as_the_broker_does()
    {
        using var script = new Command("bash", [FileAt("hash-password.sh")], input: "secret");
        (await script.WaitAsync(TimeSpan.FromSeconds(30))).ShouldBe(0, script.Output);
        Matches(script.Results[0], "secret").ShouldBeTrue();
    }

    private static (string? Configure, string? Write, string? Read) Rights(string user)
    {
        var permission = Definitions.All("permissions").Single(p => p.Text("user") == user);
        return (permission.Text("configure"), permission.Text("write"), permission.Text("read"));
    }

    private static bool HashMatches(string user, string password) =>
        Matches(Definitions.All("users").Single(u => u.Text("name") == user).Text("password_hash")!, password);

    private static bool Matches(string text, string password)
    {
        var hash = Convert.FromBase64String(text);
        return SHA256.HashData([.. hash[..Salt], .. Encoding.UTF8.GetBytes(password)]).AsSpan().SequenceEqual(hash.AsSpan(Salt));
    }

    private static string FileAt(string name) => Repository.FileAt("deploy", "rabbitmq", name);
}
