using System.Globalization;
using System.Reflection;
using System.Text.Json;
using Newtonsoft.Json;
using Newtonsoft.Json.Serialization;
using JsonSerializer = Newtonsoft.Json.JsonSerializer;

namespace TaskQueue.Client;

/// <summary>
/// Arguments and results as JSON text, by Newtonsoft.Json as in Hangfire, but with settings of their own: no type is ever named in a
/// text, whatever the settings of the process or the attributes of a class say.
/// </summary>
internal sealed class JobArguments
{
    private const int MaxDepth = 64;

    private static readonly DefaultContractResolver Contracts = new() { IgnoreSerializableInterface = true };

    private readonly JsonSerializerSettings _settings;

    public JobArguments(IEnumerable<JsonConverter> converters)
    {
        _settings = new JsonSerializerSettings
        {
            TypeNameHandling = TypeNameHandling.None, MetadataPropertyHandling = MetadataPropertyHandling.Ignore,
            SerializationBinder = new NoTypeNames(), ContractResolver = Contracts, MaxDepth = MaxDepth, CheckAdditionalContent = true,
            Converters = [.. converters],
        };
        Rules = new ParameterRules([.. _settings.Converters]);
    }

    public ParameterRules Rules { get; }

    /// <summary>Writes the arguments of a call.</summary>
    /// <exception cref="NotSupportedException">One cannot be passed.</exception>
    public IReadOnlyList<string?> Write(MethodInfo method, IReadOnlyList<object?> arguments)
    {
        var parameters = method.GetParameters();
        return [.. parameters.Select((p, i) => arguments[i] is not { } value || ParameterRules.IsInjected(p.ParameterType)
            ? null : Write(value, p))];
    }

    /// <summary>Reads the arguments of a call.</summary>
    /// <exception cref="JobRefusedException">They do not match the method.</exception>
    public object?[] Read(MethodInfo method, IReadOnlyList<string?> arguments)
    {
        var parameters = method.GetParameters();
        if (arguments.Count != parameters.Length)
            throw new JobRefusedException($"the job has {arguments.Count} arguments, and {method.Name} takes {parameters.Length}");
        return [.. parameters.Select((p, i) => Read(p, arguments[i]))];
    }

    /// <summary>Writes a value with the declared type.</summary>
    public string ToText(object value, Type type)
    {
        using var text = new StringWriter(CultureInfo.InvariantCulture);
        using (var writer = new JsonTextWriter(text))
            JsonSerializer.Create(_settings).Serialize(writer, value, type);
        return text.ToString();
    }

    /// <summary>Whether a text is JSON without members that Newtonsoft.Json takes for metadata, such as <c>$type</c>.</summary>
    public static bool IsPlain(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return IsPlain(document.RootElement);
        }
        catch (System.Text.Json.JsonException)
        {
            return false;
        }
        catch (InvalidOperationException)
        {
            return false; // a name with half of a surrogate pair
        }
    }

    private static bool IsPlain(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().All(m => !m.Name.StartsWith('$') && IsPlain(m.Value)),
        JsonValueKind.Array => value.EnumerateArray().All(IsPlain),
        _ => true,
    };

    private string Write(object value, ParameterInfo parameter)
    {
        if (Rules.LossOf(value, parameter.ParameterType) is { } loss)
            throw new NotSupportedException($"argument {parameter.Name}: {loss}");
        return ToText(value, parameter.ParameterType);
    }

    private object? Read(ParameterInfo parameter, string? text)
    {
        var type = parameter.ParameterType;
        if (ParameterRules.IsInjected(type))
            return type == typeof(CancellationToken) ? CancellationToken.None : null;
        if (Rules.ProblemOf(type) is { } problem)
            throw new JobRefusedException($"parameter {parameter.Name} cannot be read from a payload: {problem}");
        try
        {
            var value = text is null ? null : FromText(text, type);
            return value is null && type.IsValueType && Nullable.GetUnderlyingType(type) is null
                ? throw new JobRefusedException($"argument {parameter.Name} is missing") : value;
        }
        catch (Newtonsoft.Json.JsonException fault)
        {
            throw new JobRefusedException($"argument {parameter.Name} cannot be read as {JobNames.Readable(type)}: {fault.Message}");
        }
    }

    private object? FromText(string text, Type type)
    {
        using var reader = new JsonTextReader(new StringReader(text));
        return JsonSerializer.Create(_settings).Deserialize(reader, type);
    }

    /// <summary>Refuses type names that an attribute of a class asks for.</summary>
    private sealed class NoTypeNames : ISerializationBinder
    {
        public Type BindToType(string? assemblyName, string typeName) =>
            throw new JsonSerializationException("a type must not be named in a payload");

        public void BindToName(Type serializedType, out string? assemblyName, out string? typeName) =>
            throw new NotSupportedException($"{serializedType} would be named in the payload: remove TypeNameHandling from its attributes");
    }
}
