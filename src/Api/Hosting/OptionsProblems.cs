using System.Text.RegularExpressions;

namespace TaskQueue.Api.Hosting;

/// <summary>Says which key has an invalid value and what to write, in place of the frameworks' own texts.</summary>
internal static partial class OptionsProblems
{
    /// <summary>Explains a failure of the validation of options.</summary>
    public static string Explain(string failure)
    {
        if (Annotation().Match(failure) is not { Success: true } match)
            return failure;
        var (error, member) = (match.Groups["error"].Value, match.Groups["member"].Value);
        if (member.Length == 0 || error.Contains("TaskQueue:", StringComparison.Ordinal)
            || ConfigurationKeys.SectionOf(match.Groups["type"].Value) is not { } section)
            return error;
        return Field().Match(error) is { Success: true } field ? $"{section}:{member} {field.Groups["rule"].Value}"
            : $"{section}:{member}: {error}";
    }

    /// <summary>Explains a value that the configuration binder cannot convert.</summary>
    public static string ExplainConversion(string message)
    {
        if (Conversion().Match(message) is not { Success: true } match)
            return message;
        var value = match.Groups["value"] is { Success: true } given ? $"'{given.Value}'" : "invalid";
        return $"{match.Groups["key"].Value} is {value}; it must be {Rule(match.Groups["type"].Value)}";
    }

    private static string Rule(string type) =>
        type switch
        {
            "System.Boolean" => "true or false",
            "System.Int32" or "System.Int64" => "a whole number",
            "System.Double" or "System.Decimal" => "a number",
            "System.TimeSpan" => "a time span such as 01:30:00 or 7.00:00:00",
            "System.DateTimeOffset" or "System.DateTime" => "a time such as 2030-01-31T12:00:00Z",
            _ => ConfigurationKeys.Sections.Select(s => s.Type.Assembly).Distinct().Select(a => a.GetType(type))
                .FirstOrDefault(t => t is { IsEnum: true }) is { } words
                    ? string.Join(" or ", Enum.GetNames(words).Select(Lower)) : $"a {type}",
        };

    private static string Lower(string word) => char.ToLowerInvariant(word[0]) + word[1..];

    [GeneratedRegex("^DataAnnotation validation failed for '(?<type>[^']*)' members: '(?<member>[^']*)' with the error: "
        + "'(?<error>.*?)\\.?'\\.$",
        RegexOptions.ExplicitCapture | RegexOptions.Singleline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Annotation();

    [GeneratedRegex("^The field \\S+ (?<rule>.+)$", RegexOptions.ExplicitCapture | RegexOptions.Singleline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Field();

    [GeneratedRegex("configuration value( '(?<value>.*)')? at '(?<key>[^']+)' to type '(?<type>[^']+)'",
        RegexOptions.ExplicitCapture | RegexOptions.Singleline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Conversion();
}
