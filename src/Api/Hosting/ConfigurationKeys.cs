using System.Collections;
using System.Globalization;
using System.Reflection;
using TaskQueue.Adapters.Bella;
using TaskQueue.Adapters.Moab;
using TaskQueue.Adapters.OpenAI;
using TaskQueue.Bus.Senders;
using TaskQueue.Consumers.Actions;
using TaskQueue.Consumers.Upstreams;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Audit;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Bulk;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Failures;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Memory;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Scaling;
using TaskQueue.Engine.Statistics;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Engine.Workers;
using TaskQueue.Http.Auth;
using TaskQueue.Scheduler.Maintenance;
using TaskQueue.Storage.S3;
using TaskQueue.WebConsole;

namespace TaskQueue.Api.Hosting;

/// <summary>
/// The configuration keys that this program reads. Any other key below <c>TaskQueue</c> stops the start, and so does a misspelled one
/// elsewhere: it would silently leave a setting at its default, for example authentication.
/// </summary>
internal static class ConfigurationKeys
{
    private const string Root = "TaskQueue", Connections = "ConnectionStrings", Logging = "Logging", Kestrel = "Kestrel";

    /// <summary>Ends a key that Azure adds to a connection string.</summary>
    private const string ProviderName = "_ProviderName";

    /// <summary>Keys named in one message.</summary>
    private const int MaxShown = 5;

    /// <summary>Classes of options and their sections.</summary>
    internal static readonly IReadOnlyList<(string Section, Type Type)> Sections =
    [
        ("TaskQueue", typeof(EngineOptions)), ("TaskQueue:Actions", typeof(ActionOptions)), ("TaskQueue:Agent", typeof(AgentOptions)),
        ("TaskQueue:Audit", typeof(AuditOptions)), ("TaskQueue:Auth", typeof(AuthOptions)), ("TaskQueue:Batches", typeof(BatchLimits)),
        ("TaskQueue:Bella", typeof(BellaOptions)), ("TaskQueue:Bella", typeof(DialectOptions)),
        ("TaskQueue:BulkOperations", typeof(BulkOperationOptions)), ("TaskQueue:Bus", typeof(BusOptions)),
        ("TaskQueue:Console", typeof(ConsoleOptions)), ("TaskQueue:Cors", typeof(CorsSettings)), ("TaskQueue:Drain", typeof(DrainOptions)),
        ("TaskQueue:Encryption", typeof(EncryptionOptions)), ("TaskQueue:Failures", typeof(FailureOptions)),
        ("TaskQueue:Files", typeof(FileStoreOptions)), ("TaskQueue:Files:S3", typeof(S3Options)),
        ("TaskQueue:Health", typeof(HealthOptions)),
        ("TaskQueue:Limits", typeof(LimitOptions)), ("TaskQueue:Limits", typeof(MemoryOptions)),
        ("TaskQueue:Maintenance", typeof(MaintenanceOptions)), ("TaskQueue:Moab", typeof(MoabOptions)),
        ("TaskQueue:Quarantine", typeof(QuarantineOptions)), ("TaskQueue:Quotas", typeof(QuotaOptions)),
        ("TaskQueue:RabbitMq:Tls", typeof(BrokerTls)), ("TaskQueue:Redaction", typeof(RedactionOptions)),
        ("TaskQueue:Routing", typeof(RoutingOptions)), ("TaskQueue:Scaling", typeof(ScalingOptions)),
        ("TaskQueue:Statistics", typeof(StatisticsOptions)), ("TaskQueue:Telemetry", typeof(TelemetryOptions)),
        ("TaskQueue:Upstreams", typeof(List<UpstreamOptions>)), ("TaskQueue:Webhooks", typeof(WebhookOptions)),
        ("TaskQueue:Workers", typeof(WorkerOptions)),
    ];

    /// <summary>Keys that are read one by one.</summary>
    private static readonly string[] Single =
    [
        "TaskQueue:Roles", "TaskQueue:Provider", DataFolder.Key, "TaskQueue:PathBase", "TaskQueue:TrustedProxies", OperationsPort.Key,
        GrpcPort.Key, "TaskQueue:Kubernetes:DeletionCost", "ConnectionStrings:TaskQueue", "ConnectionStrings:RabbitMq",
    ];

    private static readonly Node Known = Build();

    /// <summary>Refuses unknown keys and unknown log levels.</summary>
    /// <exception cref="StartupException">There are some.</exception>
    public static void Demand(IConfiguration configuration)
    {
        string[] problems =
        [
            .. Strangers(configuration), .. Flat(configuration), .. Unknown(configuration.GetSection(Root), Known.Find(Root)!),
            .. UnknownConnections(configuration), .. LogLevels(configuration),
        ];
        Refuse(problems);
    }

    /// <summary>Refuses time spans that would be days, though seconds or hours are meant.</summary>
    /// <exception cref="StartupException">There are some.</exception>
    public static void DemandTimeSpans(IConfiguration configuration) =>
        Refuse([.. Misread(configuration.GetSection(Root), Known.Find(Root)!)]);

    private static void Refuse(string[] problems)
    {
        if (problems.Length > 0)
            throw new StartupException(string.Join("; ", problems.Take(MaxShown))
                + (problems.Length > MaxShown ? $"; and {problems.Length - MaxShown} more" : ""));
    }

    private static IEnumerable<string> Misread(IConfigurationSection section, Node known) =>
        section.GetChildren().SelectMany(child => known.Find(child.Key) is not { } below ? []
            : below.IsTimeSpan && IsMisread(child.Value)
                ? [$"{child.Path} is '{child.Value}', which would be days; write hours below 24, such as 01:30:00, and days with a dot, "
                    + "such as 7.00:00:00"]
            : Misread(child, below));

    /// <summary>Whether .NET reads days where others read seconds, as in <c>3600</c>, or hours, as in <c>24:00:00</c>.</summary>
    private static bool IsMisread(string? text)
    {
        var parts = (text ?? "").Trim().TrimStart('-').Split(':');
        return parts.Length is 1 or 2 or 3 && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
            && first >= (parts.Length == 1 ? 1 : 24);
    }

    /// <summary>The section of a class of options, by its name.</summary>
    public static string? SectionOf(string type) => Sections.FirstOrDefault(s => s.Type.Name == type).Section;

    private static IEnumerable<string> Unknown(IConfigurationSection section, Node known) =>
        section.GetChildren().SelectMany(child => known.Find(child.Key) is not { } below ? [Problem(child, known)]
            : below.Example is { } example && IsScalar(child) ? [Scalar(child, example)] : Unknown(child, below));

    /// <summary>Other programs' connection strings may be there too.</summary>
    private static IEnumerable<string> UnknownConnections(IConfiguration configuration)
    {
        var known = Known.Find(Connections)!;
        return configuration.GetSection(Connections).GetChildren()
            .Where(child => !child.Key.EndsWith(ProviderName, StringComparison.OrdinalIgnoreCase) && known.Find(child.Key) is null
                && Nearest.Of(child.Key, known.Names) is not null)
            .Select(child => Problem(child, known));
    }

    private static bool IsScalar(IConfigurationSection section) => !section.GetChildren().Any() && section.Value is { Length: > 0 };

    /// <summary>The value may be a secret.</summary>
    private static string Scalar(IConfigurationSection section, string example) =>
        $"{section.Path} has a value, but its settings are below it; set {section.Path}:{example}";

    private static string Problem(IConfigurationSection key, Node siblings)
    {
        var parent = key.Path[..^key.Key.Length];
        var hint = Nearest.Of(key.Key, siblings.Names) is { } near ? $"did you mean {parent}{near}?"
            : Known.PathsOf(key.Key).ToList() is [var elsewhere] ? $"did you mean {elsewhere}?"
            : "docs/configuration.md lists all keys";
        return $"{key.Path} is not a setting; {hint}";
    }

    /// <summary>Sections whose name is nearly that of a known one; all others may belong to somebody else.</summary>
    private static IEnumerable<string> Strangers(IConfiguration configuration) =>
        from section in configuration.GetChildren()
        where section.GetChildren().Any() && SectionNear(section.Key) is not null
        select $"{section.GetChildren().First().Path} is not a setting; did you mean "
            + $"{SectionNear(section.Key)}:{section.GetChildren().First().Key}?";

    /// <summary>The known section that is meant; null if the name is right, or resembles none.</summary>
    private static string? SectionNear(string name) =>
        new[] { Root, Connections, Logging, Kestrel }.Contains(name, StringComparer.OrdinalIgnoreCase) ? null
            : Nearest.Of(name, [Root, Connections], most: 2) ?? Nearest.Of(name, [Logging, Kestrel], most: 1);

    /// <summary>Variables with one underscore or a dot in place of two; Kubernetes' TASKQUEUE_PORT names no setting.</summary>
    private static IEnumerable<string> Flat(IConfiguration configuration) =>
        from section in configuration.GetChildren()
        where section.Key.AsSpan().ContainsAny('_', '.')
        from key in section.AsEnumerable()
        where key.Value is { Length: > 0 }
        let path = string.Join(':', key.Key.Split(['_', '.', ':'], StringSplitOptions.RemoveEmptyEntries))
        where Known.Knows(path)
        select $"{key.Key} is not a setting; did you mean {path} (as a variable: {path.Replace(":", "__", StringComparison.Ordinal)})?";

    private static IEnumerable<string> LogLevels(IConfiguration configuration)
    {
        var logging = configuration.GetSection(Logging);
        var levels = logging.GetChildren().Select(provider => provider.GetSection("LogLevel")).Prepend(logging.GetSection("LogLevel"))
            .DistinctBy(section => section.Path, StringComparer.OrdinalIgnoreCase).ToList();
        return levels.Where(IsScalar).Select(section => Scalar(section, "Default"))
            .Concat(levels.SelectMany(section => section.GetChildren())
                .Where(level => level.Value is { Length: > 0 } word && !Enum.TryParse<LogLevel>(word, ignoreCase: true, out _))
                .Select(level => $"{level.Path} is '{level.Value}'; it must be {string.Join(", ", Enum.GetNames<LogLevel>())}"));
    }

    private static Node Build()
    {
        var root = new Node();
        foreach (var key in Single)
            root.Add(key);
        root.Add("TaskQueue:TrustedProxies").Item = new Node();
        foreach (var (section, type) in Sections)
            Describe(root.Add(section), type, []);
        return root;
    }

    private static void Describe(Node node, Type type, Type[] above)
    {
        node.IsTimeSpan = (Nullable.GetUnderlyingType(type) ?? type) == typeof(TimeSpan);
        if (ItemOf(type) is { } item)
            Describe(node.Item = new Node(), item, above);
        else if (IsOurs(type) && !above.Contains(type))
            foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(IsBound))
                Describe(node.Add(property.Name), property.PropertyType, [.. above, type]);
    }

    private static bool IsOurs(Type type) =>
        type is { IsClass: true } && type.Assembly.GetName().Name!.StartsWith("TaskQueue", StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether the binder sets a property, or fills it: not if it follows from others.</summary>
    private static bool IsBound(PropertyInfo property) =>
        property.GetIndexParameters().Length == 0 && (property.SetMethod is { IsPublic: true }
            || (property.PropertyType.IsGenericType && ItemOf(property.PropertyType) is not null
                && property.PropertyType.GetGenericTypeDefinition() != typeof(IEnumerable<>)));

    /// <summary>The type of a list's items or a dictionary's values; null for any other type.</summary>
    private static Type? ItemOf(Type type) =>
        type.IsGenericType && type.IsAssignableTo(typeof(IEnumerable)) ? type.GetGenericArguments()[^1]
        : type.IsArray ? type.GetElementType() : null;

    /// <summary>A known key, with the keys below it.</summary>
    private sealed class Node
    {
        private readonly Dictionary<string, Node> _below = new(StringComparer.OrdinalIgnoreCase);

        /// <summary>The keys below any name or index; null if the names are given.</summary>
        public Node? Item { get; set; }

        public bool IsTimeSpan { get; set; }

        public IEnumerable<string> Names => _below.Keys;

        /// <summary>A key below this one, with those below it; null if there are none.</summary>
        public string? Example => (Item is { } item ? (Name: "0", Node: item) : _below.Select(b => (Name: b.Key, Node: b.Value))
            .FirstOrDefault()) is { Name: { } name, Node: { } node } ? node.Example is { } rest ? $"{name}:{rest}" : name : null;

        public Node? Find(string name) => _below.GetValueOrDefault(name) ?? Item;

        public Node Add(string path)
        {
            var node = this;
            foreach (var name in path.Split(':'))
            {
                if (!node._below.TryGetValue(name, out var next))
                    node._below.Add(name, next = new Node());
                node = next;
            }

            return node;
        }

        /// <summary>Whether there is a key with a path of two parts or more; items have numbers.</summary>
        public bool Knows(string path) =>
            path.Split(':') is { Length: > 1 } parts && parts.Aggregate((Node?)this, (node, name) => node?._below.GetValueOrDefault(name)
                ?? (name.All(char.IsAsciiDigit) ? node?.Item : null)) is not null;

        /// <summary>Where a name is known.</summary>
        public IEnumerable<string> PathsOf(string name, string prefix = "") =>
            _below.SelectMany(b => b.Value.PathsOf(name, $"{prefix}{b.Key}:")
                .Concat(b.Key.Equals(name, StringComparison.OrdinalIgnoreCase) ? [$"{prefix}{b.Key}"] : []));
    }
}
