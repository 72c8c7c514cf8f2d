using System.Net;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Api.Hosting;

/// <summary>An address to listen on.</summary>
/// <param name="Key">Its configuration key, for messages.</param>
/// <param name="Url">The configured URL.</param>
/// <param name="Endpoint">Name in <c>Kestrel:Endpoints</c>; null if it comes from urls.</param>
internal sealed record ListenAddress(string Key, string Url, string? Endpoint)
{
    public BindingAddress Binding { get; } = Parse(Key, Url);

    public bool IsHttps => Binding.Scheme == Uri.UriSchemeHttps;

    private static BindingAddress Parse(string key, string url)
    {
        try
        {
            var address = BindingAddress.Parse(url);
            // A free port (0) needs an address; a name may have several addresses.
            if ((address.Scheme == Uri.UriSchemeHttp || address.Scheme == Uri.UriSchemeHttps) && address.Port <= ushort.MaxValue
                && address.PathBase.Length == 0 && address is not { Port: 0, Host: "localhost" })
                return address;
        }
        catch (FormatException)
        {
            // Handled like any other invalid URL.
        }

        throw new StartupException($"{key}: '{url}' is not of the form http://localhost:8080 or https://localhost:8443.");
    }
}

/// <summary>Validated addresses to listen on.</summary>
/// <param name="All">Addresses that serve everything.</param>
/// <param name="Operations">Addresses of the operations endpoints.</param>
internal sealed record ListenAddresses(IReadOnlyList<ListenAddress> All, IReadOnlyList<ListenAddress> Operations)
{
    private const string DefaultUrl = "http://localhost:8080";
    private const string Endpoints = "Kestrel:Endpoints";

    /// <summary>Whether the addresses come from <c>Kestrel:Endpoints</c>, which Kestrel does not combine with urls.</summary>
    public bool AreKestrels => All[0].Endpoint is not null;

    /// <summary>Addresses that serve gRPC only; <see cref="All"/> serve it too.</summary>
    public IReadOnlyList<ListenAddress> Grpc { get; init; } = [];

    /// <summary>Addresses of a part of the server.</summary>
    public IEnumerable<ListenAddress> Special => Operations.Concat(Grpc);

    public IEnumerable<ListenAddress> Each => All.Concat(Special);

    /// <param name="urls">Value from the command line.</param>
    /// <param name="configuration">The configuration.</param>
    /// <exception cref="StartupException">An address is invalid.</exception>
    public static ListenAddresses Read(string? urls, ConfigurationManager configuration)
    {
        var auth = new AuthOptions();
        configuration.GetSection("TaskQueue:Auth").Bind(auth);
        urls ??= configuration["urls"];
        var endpoints = OfKestrel(configuration);
        if (endpoints.Count > 0 && urls is not null)
            throw new StartupException($"{Endpoints} and urls are both set; remove one of them.");
        var all = endpoints.Count > 0 ? endpoints : Split("urls", urls ?? DefaultUrl);
        var addresses = new ListenAddresses(all, Own(configuration, OperationsPort.Key)) { Grpc = Own(configuration, GrpcPort.Key) };
        foreach (var address in addresses.Each)
            DemandLoopback(address, auth.IsOn);
        var where = endpoints.Count > 0 ? Endpoints : "urls";
        DemandOwnPorts(addresses.Operations, all, $"{where} already; operations need a separate port.");
        DemandOwnPorts(addresses.Grpc, all, $"{where} already, which serve gRPC too.");
        DemandOwnPorts(addresses.Grpc, addresses.Operations, $"{OperationsPort.Key} already; gRPC needs a separate port.");
        return addresses;
    }

    private static List<ListenAddress> Own(ConfigurationManager configuration, string key) =>
        configuration[key] is { Length: > 0 } urls ? Split(key, urls) : [];

    /// <summary>Requests are distinguished by their local port.</summary>
    private static void DemandOwnPorts(IReadOnlyList<ListenAddress> own, IReadOnlyList<ListenAddress> others, string problem)
    {
        var taken = others.Select(a => a.Binding.Port).ToHashSet();
        foreach (var (key, url, port) in own.Select(a => (a.Key, a.Url, a.Binding.Port)))
        {
            if (port == 0)
                throw new StartupException($"{key}: '{url}' must name a port; a free port (0) is allowed in urls only.");
            if (taken.Contains(port))
                throw new StartupException($"{key}: port {port} of '{url}' is one of {problem}");
        }
    }

    private static List<ListenAddress> Split(string key, string urls) =>
        [.. urls.Split(';').Select(url => new ListenAddress(key, url, null))];

    private static List<ListenAddress> OfKestrel(ConfigurationManager configuration) =>
    [
        .. configuration.GetSection(Endpoints).GetChildren().Select(endpoint => new ListenAddress(
            $"{endpoint.Path}:Url", endpoint["Url"] ?? throw new StartupException($"{endpoint.Path}:Url is missing."), endpoint.Key)),
    ];

    /// <summary>Without API keys any client that can connect may do anything, so only loopback is allowed.</summary>
    private static void DemandLoopback(ListenAddress address, bool isAuthOn)
    {
        var host = address.Binding.Host;
        var isLoopback = host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip));
        if (!isLoopback && !isAuthOn)
            throw new StartupException($"{address.Key}: '{address.Url}' is not a loopback address; without API keys "
                + "(TaskQueue:Auth:ApiKeys) the server listens on localhost only.");
    }
}
